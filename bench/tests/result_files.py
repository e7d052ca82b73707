# SPDX-License-Identifier: Apache-2.0
"""Makes small result files for the tests of the scripts."""
import contextlib
import io
import json
import pathlib
import tempfile
import unittest


def row(name, ms, **more):
    run_name = f"{name}/iterations:1/manual_time"
    return {"name": run_name, "run_name": run_name, "run_type": "iteration", "real_time": ms, "time_unit": "ms", **more}


def failed(name, message):
    return {"name": name, "run_name": name, "run_type": "iteration", "error_occurred": True, "error_message": message}


class FilesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def result(self, name, *rows, **context):
        return self.write(name, json.dumps({"context": context, "benchmarks": list(rows)}))


def call(main, *arguments):
    """Returns (exit code, standard output, standard error) of a script's main."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return code, out.getvalue(), err.getvalue()

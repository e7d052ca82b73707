# SPDX-License-Identifier: Apache-2.0
"""Runs the benchmark that the environment names."""
import os
import pathlib
import subprocess
import tempfile

SHAPES = pathlib.Path(__file__).parent / "shapes"
DTYPES = ("float32", "float16", "bfloat16", "float64")
LAYOUTS = ("nchw", "nhwc")


def run(*options, **environment):
    return subprocess.run([os.environ["DWCONV_BENCH"], *options], capture_output=True, text=True, check=False,
                          env={**os.environ, **environment})


def run_on(shapes, *options):
    """With the text of a shapes file; returns the result and the file's name."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "shapes.csv"
        path.write_text(shapes, encoding="utf-8")
        return run(f"--shapes={path}", *options), str(path)

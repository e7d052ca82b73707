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
    return _run_with("shapes", shapes, *options)


def run_with_tiles(tiles, *options):
    """With the text of a file of tiles; returns the result and the file's name."""
    return _run_with("tiles", tiles, *options)


def _run_with(option, text, *options):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / f"{option}.csv"
        path.write_text(text, encoding="utf-8")
        return run(f"--{option}={path}", *options), str(path)

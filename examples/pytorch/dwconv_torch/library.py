# SPDX-License-Identifier: Apache-2.0
"""Finds and loads the compiled operators."""
import os
import pathlib

import torch


def load() -> str:
    """Loads the library of operators and returns where it lay.

    DWCONV_TORCH_LIBRARY names one built elsewhere; it touches no Python, so any version of Python loads it. Where the
    operators are there already (`torch.utils.cpp_extension.load`), nothing is loaded.
    """
    if hasattr(torch.ops.dwconv, "backward_bias"):
        return "loaded before"
    named = os.environ.get("DWCONV_TORCH_LIBRARY")
    beside = sorted(pathlib.Path(__file__).parent.glob("_C*.so"))
    if named is None and not beside:
        raise ImportError(
            "dwconv_torch has no compiled operators: install it (pip install --no-build-isolation examples/pytorch), "
            "or name a library in DWCONV_TORCH_LIBRARY")
    path = named or str(beside[0])
    torch.ops.load_library(path)
    return path

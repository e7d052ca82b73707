# SPDX-License-Identifier: Apache-2.0
"""The short way of a call in eager mode, where it was compiled for the PyTorch that runs.

The operators' library uses PyTorch's stable ABI and serves many versions. That ABI cannot record a gradient, and the
dispatcher takes longer over a call than a small kernel. csrc/eager.cpp does both with PyTorch's own headers, and its
binary bears the versions of PyTorch and Python that it fits in its name.
"""
import ctypes
import importlib.util
import os
import pathlib
import re
import sysconfig

import torch


def name_for(pytorch: str, python: str) -> str:
    """Of the module for a version of PyTorch, such as 2.11.0+cu130, and the SOABI of a Python, as setup.py names it."""
    return "_eager_" + re.sub(r"\W", "_", f"{pytorch}_{python}")


def load(library: str):
    """The function `convolve` of csrc/eager.cpp for the operators of a library, or None where there is none.

    DWCONV_TORCH_EAGER names a folder to look in, in place of this package's; DWCONV_TORCH_EAGER=0 asks for none.
    """
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return None
    folder = os.environ.get("DWCONV_TORCH_EAGER", str(pathlib.Path(__file__).parent))
    name = name_for(torch.__version__, sysconfig.get_config_var("SOABI"))
    path = pathlib.Path(folder) / f"{name}.so"
    if not path.is_file() or not os.path.isfile(library):
        return None
    spec = importlib.util.spec_from_file_location(f"{__package__}.{name}", path)
    try:
        module = importlib.util.module_from_spec(spec)
        calls = ctypes.CDLL(library).dwconv_torch_calls
    except (ImportError, OSError, AttributeError):  # no library, or operators of an earlier version
        return None
    return module.convolve if module.attach(ctypes.cast(calls, ctypes.c_void_p).value) else None

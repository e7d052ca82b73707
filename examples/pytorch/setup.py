# SPDX-License-Identifier: Apache-2.0
"""Builds the operators with the headers of the repository around this folder, or of DWCONV_INCLUDE.

TORCH_CUDA_ARCH_LIST says for which GPUs; without it, for those of this machine.
"""
import os
import pathlib

import torch
from setuptools import setup
from torch.utils.cpp_extension import BuildExtension, CUDAExtension

here = pathlib.Path(__file__).resolve().parent
include = pathlib.Path(os.environ.get("DWCONV_INCLUDE", here.parent.parent / "include"))
if not (include / "dwconv" / "dwconv.cuh").is_file():
    raise SystemExit(f"no dwconv/dwconv.cuh in {include}: set DWCONV_INCLUDE to the include folder of dwconv")
if "TORCH_CUDA_ARCH_LIST" not in os.environ and not torch.cuda.is_available():
    # PyTorch would compile for every GPU there is, which takes an hour.
    raise SystemExit("no GPU here: say for which to compile, such as TORCH_CUDA_ARCH_LIST=9.0a")
os.chdir(here)  # the sources below are relative to it

# The stable ABI as of PyTorch 2.10, which later versions keep.
stable = ["-DTORCH_TARGET_VERSION=0x020a000000000000", "-DUSE_CUDA"]
setup(
    ext_modules=[
        CUDAExtension(
            "dwconv_torch._C",
            sources=["csrc/ops.cpp"] + [f"csrc/{name}.cu" for name in ("float32", "float16", "bfloat16", "float64")],
            include_dirs=[str(include)],
            extra_compile_args={"cxx": ["-std=c++20", "-O2", *stable], "nvcc": ["-std=c++20", "-O3"]},
            py_limited_api=True)
    ],
    # No Python in it: the library loads into any version.
    cmdclass={"build_ext": BuildExtension.with_options(no_python_abi_suffix=True)})

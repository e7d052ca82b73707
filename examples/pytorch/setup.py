# SPDX-License-Identifier: Apache-2.0
"""Builds the operators with the headers of the repository around this folder, or of DWCONV_INCLUDE.

TORCH_CUDA_ARCH_LIST says for which GPUs; without it, for those of this machine.
"""
import os
import pathlib
import re
import sysconfig

import torch
from setuptools import setup
from torch.utils.cpp_extension import BuildExtension, CUDAExtension

here = pathlib.Path(__file__).resolve().parent
include = pathlib.Path(os.environ.get("DWCONV_INCLUDE", here.parent.parent / "include")).resolve()
if not (include / "dwconv" / "dwconv.cuh").is_file():
    raise SystemExit(f"no dwconv/dwconv.cuh in {include}: set DWCONV_INCLUDE to the include folder of dwconv")
if "TORCH_CUDA_ARCH_LIST" not in os.environ and not torch.cuda.is_available():
    # PyTorch would compile for every GPU there is, which takes an hour.
    raise SystemExit("no GPU here: say for which to compile, such as TORCH_CUDA_ARCH_LIST=9.0a")
os.chdir(here)  # the sources below are relative to it
headers = sorted(str(path) for folder in (pathlib.Path("csrc"), include / "dwconv") for path in folder.rglob("*")
                 if path.suffix in (".hpp", ".cuh"))

# The stable ABI as of PyTorch 2.10, which later versions keep.
stable = ["-DTORCH_TARGET_VERSION=0x020a000000000000", "-DUSE_CUDA"]
eager = CUDAExtension(
    # Which PyTorch and Python it fits, for dwconv_torch/eager.py to see before it loads it.
    "dwconv_torch._eager_" + re.sub(r"\W", "_", f"{torch.__version__}_{sysconfig.get_config_var('SOABI')}"),
    sources=["csrc/eager.cpp"],
    depends=headers,
    include_dirs=[str(include)],
    extra_compile_args={"cxx": ["-std=c++20", "-O2"]})
eager.optional = True


class Build(BuildExtension):
    """What is optional may fail: calls take longer without it."""

    def build_extension(self, extension):
        try:
            super().build_extension(extension)
        except Exception as error:
            if not extension.optional:
                raise
            self.warn(f"{extension.name} was left out, calls will take longer: {error}")


setup(
    ext_modules=[
        CUDAExtension(
            "dwconv_torch._C",
            sources=["csrc/ops.cpp"] + [f"csrc/{name}.cu" for name in ("float32", "float16", "bfloat16", "float64")],
            depends=headers,
            include_dirs=[str(include)],
            extra_compile_args={"cxx": ["-std=c++20", "-O2", *stable], "nvcc": ["-std=c++20", "-O3"]},
            py_limited_api=True), eager
    ],
    # No Python in the first: that library loads into any version. The second is for this one anyway.
    cmdclass={"build_ext": Build.with_options(no_python_abi_suffix=True)})

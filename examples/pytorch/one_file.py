# SPDX-License-Identifier: Apache-2.0
"""The operators without installing anything: compiled at the first run, cached by PyTorch afterwards.

python examples/pytorch/one_file.py
"""
import pathlib

import torch
from torch.utils.cpp_extension import load

here = pathlib.Path(__file__).resolve().parent
load("dwconv_ops",
     sources=[str(here / "csrc" / name) for name in ("ops.cpp", "float32.cu")],  # one .cu file per element type
     extra_include_paths=[str(here.parent.parent / "include")],
     extra_cflags=["-std=c++20", "-DTORCH_TARGET_VERSION=0x020a000000000000", "-DUSE_CUDA"],
     extra_cuda_cflags=["-std=c++20"],
     is_python_module=False)

x = torch.randn(8, 64, 56, 56, device="cuda")
weight = torch.randn(64, 1, 3, 3, device="cuda")
y = torch.ops.dwconv.forward(x, weight, None, stride=(1, 1), padding=(1, 1, 1, 1), dilation=(1, 1))
print(torch.ops.dwconv.describe(x, weight, (1, 1), (1, 1, 1, 1), (1, 1)), end="")
print("largest difference from F.conv2d:",
      (y - torch.nn.functional.conv2d(x, weight, padding=1, groups=64)).abs().max().item())

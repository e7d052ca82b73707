# SPDX-License-Identifier: Apache-2.0
"""KernelBench level 1, problem 86: depthwise 3x3 on 16x64x512x512, then pointwise to 128 channels, which ATen does."""
import torch
from dwconv_torch import DepthwiseConv2d


class ModelNew(torch.nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, bias=False):
        super().__init__()
        self.depthwise = DepthwiseConv2d(in_channels, in_channels, kernel_size, stride, padding, dilation, bias=bias)
        self.pointwise = torch.nn.Conv2d(in_channels, out_channels, 1, bias=bias)

    def forward(self, x):
        return self.pointwise(self.depthwise(x))


def get_inputs():
    return [torch.rand(16, 64, 512, 512)]


def get_init_inputs():
    return [64, 128, 3, 1, 1, 1]

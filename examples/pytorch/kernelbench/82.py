# SPDX-License-Identifier: Apache-2.0
"""KernelBench level 1, problem 82: depthwise 3x3 on 16x64x512x512."""
import torch
from dwconv_torch import DepthwiseConv2d


class ModelNew(torch.nn.Module):
    def __init__(self, in_channels, kernel_size, stride=1, padding=0, bias=False):
        super().__init__()
        self.conv2d = DepthwiseConv2d(in_channels, in_channels, kernel_size, stride, padding, bias=bias)

    def forward(self, x):
        return self.conv2d(x)


def get_inputs():
    return [torch.rand(16, 64, 512, 512)]


def get_init_inputs():
    return [64, 3, 1, 0]

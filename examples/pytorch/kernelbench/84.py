# SPDX-License-Identifier: Apache-2.0
"""KernelBench level 1, problem 84: depthwise 3x3 on 64x128x256x512."""
import torch
from dwconv_torch import DepthwiseConv2d


class ModelNew(torch.nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, bias=False):
        super().__init__()
        self.conv2d = DepthwiseConv2d(in_channels, out_channels, kernel_size, stride, padding, bias=bias)

    def forward(self, x):
        return self.conv2d(x)


def get_inputs():
    return [torch.rand(64, 128, 256, 512)]


def get_init_inputs():
    return [128, 128, 3, 1, 0]

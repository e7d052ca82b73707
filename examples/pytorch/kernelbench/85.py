# SPDX-License-Identifier: Apache-2.0
"""KernelBench level 1, problem 85: depthwise 3x7 on 32x128x128x256."""
import torch
from dwconv_torch import DepthwiseConv2d


class ModelNew(torch.nn.Module):
    def __init__(self, in_channels, out_channels, kernel_height, kernel_width, stride_height=1, stride_width=1,
                 padding_height=0, padding_width=0, dilation_height=1, dilation_width=1, groups=None, bias=False):
        super().__init__()
        self.conv2d = DepthwiseConv2d(in_channels, out_channels, (kernel_height, kernel_width),
                                      (stride_height, stride_width), (padding_height, padding_width),
                                      (dilation_height, dilation_width), groups, bias)

    def forward(self, x):
        return self.conv2d(x)


def get_inputs():
    return [torch.rand(32, 128, 128, 256)]


def get_init_inputs():
    return [128, 128, 3, 7, 1, 1, 0, 0, 1, 1, 128]

# SPDX-License-Identifier: Apache-2.0
"""Convolutions to test with."""
import dataclasses

import torch


@dataclasses.dataclass(frozen=True)
class Sample:
    size: tuple  # batch, channels, height, width
    filter: tuple
    multiplier: int = 1
    stride: tuple = (1, 1)
    padding: tuple = (0, 0, 0, 0)
    dilation: tuple = (1, 1)
    bias: bool = True

    def __str__(self):
        parts = ["x".join(map(str, self.size)), "k" + "x".join(map(str, self.filter))]
        parts += [f"m{self.multiplier}"] if self.multiplier != 1 else []
        parts += [f"s{self.stride[0]}{self.stride[1]}"] if self.stride != (1, 1) else []
        parts += ["p" + ",".join(map(str, self.padding))] if any(self.padding) else []
        parts += [f"d{self.dilation[0]}{self.dilation[1]}"] if self.dilation != (1, 1) else []
        return "-".join(parts)

    @property
    def numbers(self):
        return self.stride, self.padding, self.dilation

    def tensors(self, device, dtype, memory_format=torch.contiguous_format):
        """x, weight and bias, of a size that leaves y near 1."""
        x = torch.randn(self.size, device=device, dtype=torch.float64)
        channels = self.size[1] * self.multiplier
        weight = torch.randn(channels, 1, *self.filter, device=device, dtype=torch.float64)
        weight /= (self.filter[0] * self.filter[1]) ** 0.5
        bias = torch.randn(channels, device=device, dtype=dtype) if self.bias else None
        return x.to(dtype, memory_format=memory_format), weight.to(dtype), bias


# Small ones, for checks that call an operator hundreds of times.
SMALL = [
    Sample((2, 3, 5, 6), (3, 3), padding=(1, 1, 1, 1)),
    Sample((1, 2, 5, 5), (3, 3), bias=False),
    Sample((2, 2, 7, 6), (5, 3), padding=(2, 2, 1, 1), stride=(2, 2)),
    Sample((1, 4, 4, 9), (1, 4), padding=(0, 0, 3, 0)),
    Sample((2, 2, 6, 5), (3, 1), multiplier=2),
    Sample((1, 3, 8, 8), (2, 2), padding=(0, 1, 1, 0), multiplier=3, stride=(1, 2)),
    Sample((2, 2, 9, 9), (3, 3), dilation=(2, 3), padding=(2, 2, 3, 3)),
    Sample((1, 2, 8, 7), (7, 7), padding=(3, 3, 3, 3)),
    Sample((3, 2, 1, 12), (1, 5), stride=(1, 3), bias=False),
    Sample((1, 5, 6, 6), (1, 1)),
]
# Larger ones, to reach each family of kernels.
LARGE = [
    Sample((4, 32, 56, 56), (3, 3), padding=(1, 1, 1, 1)),
    Sample((4, 24, 57, 53), (5, 5), padding=(2, 2, 2, 2), stride=(2, 2)),
    Sample((4, 32, 112, 112), (3, 3), padding=(0, 1, 0, 1), stride=(2, 2)),
    Sample((2, 16, 56, 56), (7, 7), padding=(3, 3, 3, 3)),
    Sample((2, 8, 56, 56), (31, 31), padding=(15, 15, 15, 15), bias=False),
    Sample((2, 16, 37, 41), (3, 3), multiplier=2),
    Sample((2, 16, 65, 65), (3, 3), dilation=(12, 12), padding=(12, 12, 12, 12)),
    Sample((8, 64, 7, 7), (5, 3), padding=(2, 2, 1, 1)),
    Sample((2, 8, 1, 512), (1, 4), padding=(0, 0, 3, 0)),
    Sample((2, 8, 64, 96), (3, 7)),
    Sample((2, 8, 64, 96), (3, 1)),
    Sample((64, 4, 14, 14), (3, 3), padding=(1, 1, 1, 1)),
]

# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolutions of PyTorch on dwconv."""
from .functional import depthwise_conv2d, describe, fallback_reason
from .modules import Conversion, DepthwiseConv2d, convert
from .ops import activations

__all__ = ["Conversion", "DepthwiseConv2d", "activations", "convert", "depthwise_conv2d", "describe", "fallback_reason"]

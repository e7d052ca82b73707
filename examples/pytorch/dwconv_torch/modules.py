# SPDX-License-Identifier: Apache-2.0
"""DepthwiseConv2d in the place of nn.Conv2d(groups=in_channels), and convert for models that have many."""
import dataclasses

import torch.nn.functional as F
from torch import nn

from .functional import convolve, convolve_eagerly, convolve_long, fallback_reason, four_paddings, is_compiling


class DepthwiseConv2d(nn.Conv2d):
    """nn.Conv2d with groups = in_channels: same arguments, parameters, initialisation and state_dict.

    It is an nn.Conv2d, so whatever looks for those finds it. `groups` may be left out.
    """

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=None, bias=True,
                 padding_mode="zeros", device=None, dtype=None):
        if groups is not None and groups != in_channels:
            raise ValueError(f"groups is {groups}, must be in_channels, {in_channels}")
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, in_channels, bias,
                         padding_mode, device, dtype)

    def _conv_forward(self, input, weight, bias):
        if convolve_eagerly is not None and self.padding_mode == "zeros" and not is_compiling():
            y = convolve_eagerly(input, weight, bias, self.stride, self.padding, self.dilation, 0, self.in_channels)
            if y is not None:
                return y
        if input.dim() != 4 or input.shape[1] != self.in_channels:
            return self._unusual_forward(input, weight, bias)
        if self.padding_mode != "zeros":
            input = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
            padding = (0, 0, 0, 0)
        else:
            # Read at every call, as nn.Conv2d does: some models change it after the constructor.
            padding = self.padding
            if not isinstance(padding, str):
                return convolve_long(input, weight, bias, self.stride, (padding[0], padding[0], padding[1], padding[1]),
                                     self.dilation)
            padding = four_paddings(padding, weight.shape[2:], self.dilation)
        return convolve(input, weight, bias, self.stride, padding, self.dilation)

    def _unusual_forward(self, input, weight, bias):
        """One image without an axis for the batch; and what nn.Conv2d refuses, for its words."""
        if input.dim() == 3 and input.shape[0] == self.in_channels:
            return self._conv_forward(input.unsqueeze(0), weight, bias).squeeze(0)
        return super()._conv_forward(input, weight, bias)

    def fallback_reason(self, input) -> str | None:
        """Why a call on this input goes to ATen's convolution; None where it goes to dwconv."""
        return fallback_reason(input, self.weight)


@dataclasses.dataclass
class Conversion:
    """What convert did: names of the layers it swapped, and of the convolutions it left, with the reason."""
    swapped: list[str] = dataclasses.field(default_factory=list)
    left: dict[str, str] = dataclasses.field(default_factory=dict)

    def __str__(self):
        lines = [f"swapped {len(self.swapped)}: {', '.join(self.swapped)}"]
        reasons = {}
        for name, reason in self.left.items():
            reasons.setdefault(reason, []).append(name)
        lines += [f"left {len(names)}, {reason}: {', '.join(names)}" for reason, names in reasons.items()]
        return "\n".join(lines)


def _reason_to_leave(layer) -> str | None:
    if isinstance(layer, DepthwiseConv2d):
        return "it was swapped before"
    if not isinstance(layer, nn.Conv2d):
        return f"{type(layer).__name__} is no Conv2d"
    if layer.groups == 1:
        return "it is no depthwise convolution: groups is 1"
    if layer.groups != layer.in_channels:
        return f"it is no depthwise convolution: groups is {layer.groups}, in_channels {layer.in_channels}"
    if type(layer) is not nn.Conv2d:
        return f"its class {type(layer).__name__} may do more than nn.Conv2d"
    return None


def convert(model: nn.Module) -> Conversion:
    """Swaps every depthwise nn.Conv2d of a model, in place, and says what it did.

    A layer stays the same object, of another class: its parameters, hooks and place in optimisers remain.
    """
    done = Conversion()
    for name, layer in model.named_modules():
        if not isinstance(layer, nn.modules.conv._ConvNd):
            continue
        reason = _reason_to_leave(layer)
        if reason is None:
            layer.__class__ = DepthwiseConv2d
            done.swapped.append(name)
        else:
            done.left[name] = reason
    return done

# SPDX-License-Identifier: Apache-2.0
"""depthwise_conv2d: F.conv2d with groups = channels, on dwconv where it is faster and on ATen elsewhere."""
import functools

import torch

from . import eager, ops

# The whole call in C++, None where it was not compiled for this PyTorch: then the rest of this file does it. It answers
# None to what is not usual.
convolve_eagerly = eager.load(ops.path)
is_compiling = torch.compiler.is_compiling

_kernels: dict[tuple[torch.dtype, int], bool] = {}


@torch.compiler.assume_constant_result
def _has_kernels(dtype, device):
    key = (dtype, device)
    if key not in _kernels:
        _kernels[key] = torch.ops.dwconv.has_kernels(dtype, device)
    return _kernels[key]


def _is_channels_last(x):
    return not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)


def _worth_two_copies(x, weight):
    """Whether dwconv is faster for a channels_last input although input and output are copied to the other layout.

    Measured on an H200, docs/pytorch.md: ATen's channels_last kernels are slow for filters of many taps, and for
    multipliers, and in float32 for the gradient of a 7x7 filter.
    """
    taps = weight.shape[2] * weight.shape[3]
    many = 49 if x.dtype == torch.float32 and torch.is_grad_enabled() and weight.requires_grad else 100
    return taps >= many or weight.shape[0] != x.shape[1]


def fallback_reason(x, weight) -> str | None:
    """Why a call on these tensors goes to ATen's convolution; None where it goes to dwconv."""
    if not x.is_cuda:
        return f"the input is on {x.device}, dwconv runs on CUDA devices"
    if weight.dim() != 4 or weight.shape[1] != 1:
        return f"the weight {tuple(weight.shape)} is not one filter per output channel"
    if x.dim() != 4:
        return f"the input has {x.dim()} dimensions instead of 4"
    if _is_transformed():
        return "the operators have no rules for torch.func's transforms and forward-mode derivatives"
    if torch.is_autocast_enabled("cuda") and x.dtype != torch.float64:
        dtype = torch.get_autocast_dtype("cuda")
    elif x.dtype != weight.dtype:
        return f"the input is {x.dtype}, the weight {weight.dtype}"
    else:
        dtype = x.dtype
    if not _has_kernels(dtype, x.get_device()):
        return f"this build has no kernels for {dtype} on {torch.cuda.get_device_name(x.device)}"
    if _is_channels_last(x) and not _worth_two_copies(x, weight):
        return "the input is channels_last, where ATen's kernels are the faster ones for this filter so far"
    return None


def _is_transformed():
    return torch._C._are_functorch_transforms_active() or torch.autograd.forward_ad._current_level >= 0


def _surely_goes_to_dwconv(x, weight):
    """No fallback_reason, in the usual case, asked in the order that answers soonest."""
    return (x.is_cuda and x.is_contiguous() and x.dtype is weight.dtype and
            _kernels.get((x.dtype, x.get_device()), False) and not _is_transformed())


# Without OpOverload's own frame.
_quick_forward, _quick_data, _quick_filter, _quick_bias = (
    getattr(torch.ops.dwconv, name).default._op
    for name in ("_forward", "_backward_data", "_backward_filter", "_backward_bias"))


class _Convolution(torch.autograd.Function):
    """The gradient that ops.py registers, on a shorter way there: the dispatcher is not asked twice."""

    @staticmethod
    def forward(ctx, x, weight, bias, packed):
        ctx.save_for_backward(x, weight, None)
        ctx.packed = packed
        return _quick_forward(x, weight, bias, packed)

    @staticmethod
    def backward(ctx, dy):
        if not dy.is_contiguous() and ctx.saved_tensors[0].is_contiguous():
            dy = dy.contiguous()  # once for all operators
        if torch.is_grad_enabled():
            ctx.numbers, ctx.activation = ops.unpack(ctx.packed)[:3], 0
            return *ops.forward_gradient(ctx, dy)[:3], None
        x, weight, _ = ctx.saved_tensors
        of_x, of_weight, of_bias, _ = ctx.needs_input_grad
        return (_quick_data(dy, x, weight, ctx.packed) if of_x else None,
                _quick_filter(dy, x, weight, ctx.packed) if of_weight else None,
                _quick_bias(dy) if of_bias else None, None)


class _ToContiguous(torch.autograd.Function):
    """x.contiguous(), with a gradient that is channels_last as x is."""

    @staticmethod
    def forward(ctx, x):
        return x.contiguous()

    @staticmethod
    def backward(ctx, dx):
        return dx.contiguous(memory_format=torch.channels_last)


def _wants_gradient(x, weight, bias):
    return torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad or
                                        (bias is not None and bias.requires_grad))


def _convolve_short(x, weight, bias, stride, padding, dilation, activation):
    """The short way, or None where the call is not one for it."""
    if convolve_eagerly is None or is_compiling():
        return None
    if not activation or not _wants_gradient(x, weight, bias):
        return convolve_eagerly(x, weight, bias, stride, padding, dilation, activation, 0)
    # Storing what comes before the activation is cheaper than computing it again.
    y = convolve_eagerly(x, weight, bias, stride, padding, dilation, 0, 0)
    return None if y is None else ops.activate(y, activation)


def convolve(x, weight, bias, stride, padding, dilation, activation=0):
    """Arguments as the operator takes them: 2, 4 and 2 numbers, and that of an activation."""
    y = _convolve_short(x, weight, bias, stride, padding, dilation, activation)
    return convolve_long(x, weight, bias, stride, padding, dilation, activation) if y is None else y


def convolve_long(x, weight, bias, stride, padding, dilation, activation=0):
    """The same, for a call that the short way has refused."""
    if is_compiling():
        return _convolve_unusual(x, weight, bias, stride, padding, dilation, activation)
    if torch.is_autocast_enabled("cuda") and x.is_cuda:
        # Here rather than by the operator's rule: that is another way through Python.
        dtype = torch.get_autocast_dtype("cuda")
        x, weight, bias = (ops.lower_precision(tensor, dtype) for tensor in (x, weight, bias))
    packed = ops.pack(stride, padding, dilation, activation)
    if packed is None or not _surely_goes_to_dwconv(x, weight):
        return _convolve_unusual(x, weight, bias, stride, padding, dilation, activation)
    if not _wants_gradient(x, weight, bias):
        return _quick_forward(x, weight, bias, packed)
    y = _Convolution.apply(x, weight, bias, ops.pack(stride, padding, dilation))
    return ops.activate(y, activation) if activation else y


def _convolve_unusual(x, weight, bias, stride, padding, dilation, activation):
    """The same where it is traced, or not sure to go to dwconv."""
    if fallback_reason(x, weight) is not None:
        return ops.aten_forward(x, weight, bias, stride, padding, dilation, activation)
    if _is_channels_last(x):
        x = x.contiguous() if is_compiling() else _ToContiguous.apply(x)
        y = convolve(x, weight, bias, stride, padding, dilation, activation)
        return y.contiguous(memory_format=torch.channels_last)
    if activation and _wants_gradient(x, weight, bias):
        return ops.activate(ops.forward(x, weight, bias, stride, padding, dilation), activation)
    return ops.forward(x, weight, bias, stride, padding, dilation, activation)


def _pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def four_paddings(padding, taps, dilation):
    """(top, bottom, left, right) of what F.conv2d takes as padding."""
    if padding == "valid":
        return (0, 0, 0, 0)
    if padding == "same":
        spans = [step * (count - 1) for step, count in zip(dilation, taps)]
        return tuple(part for span in spans for part in (span // 2, span - span // 2))
    if not isinstance(padding, int) and len(padding) == 4:
        return tuple(padding)
    height, width = _pair(padding)
    return (height, height, width, width)


@functools.lru_cache(maxsize=None)
def _numbers(stride, padding, dilation, taps):
    stride, dilation = _pair(stride), _pair(dilation)
    if padding == "same" and stride != (1, 1):
        raise ValueError("padding='same' is not supported for strided convolutions")
    return stride, four_paddings(padding, taps, dilation), dilation


def _numbers_of(weight, stride, padding, dilation):
    """Strides, paddings and dilations as the operator takes them."""
    taps = tuple(weight.shape[2:]) if padding == "same" else None
    try:
        return _numbers(stride, padding, dilation, taps)
    except TypeError:  # lists
        return _numbers(*(tuple(value) if isinstance(value, list) else value for value in (stride, padding, dilation)), taps)


def depthwise_conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, activation="none"):
    """F.conv2d(x, weight, bias, stride, padding, dilation, groups=x.shape[1]) and then an activation.

    weight is [channels * multiplier, 1, height, width]. padding is a number, a pair, "same", "valid", or four numbers
    (top, bottom, left, right). activation is a name in dwconv_torch.activations; where no gradient is asked for, it
    runs in the convolution's own kernel.
    """
    number = ops.activations[activation]
    y = _convolve_short(x, weight, bias, stride, padding, dilation, number)
    if y is not None:
        return y
    numbers = _numbers_of(weight, stride, padding, dilation)
    if x.dim() == 3:
        return convolve(x.unsqueeze(0), weight, bias, *numbers, number).squeeze(0)
    # Words and lists are numbers and tuples now: what was refused may have been just those.
    plain = all(isinstance(value, (int, tuple)) for value in (stride, padding, dilation))
    return (convolve_long if plain else convolve)(x, weight, bias, *numbers, number)


def describe(x, weight, stride=1, padding=0, dilation=1) -> str:
    """Which kernel a call on these tensors takes, and why, in a few lines."""
    reason = fallback_reason(x, weight)
    if reason is not None:
        return f"ATen: {reason}"
    x = x.contiguous() if _is_channels_last(x) else x
    return torch.ops.dwconv.describe(x, weight, *_numbers_of(weight, stride, padding, dilation))

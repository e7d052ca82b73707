# SPDX-License-Identifier: Apache-2.0
"""What PyTorch must know of the operators beside their CUDA kernels: shapes, gradients, autocast, and ATen on the CPU.

    forward(x, weight, bias, stride, padding, dilation, activation)   padding is (top, bottom, left, right)
    backward_data(dy, x, weight, stride, padding, dilation)           of x only shape and layout are read
    backward_filter(dy, x, weight, stride, padding, dilation)         of weight only the shape
    backward_bias(dy)

The convolution is linear in x and in its weight, so the gradient of each operator is made of these same operators, and
so is the gradient of the gradient. Each is there a second time, named with an underscore, without a gradient and with its
numbers packed into one: both cost PyTorch more time than a small kernel takes.
"""
import functools

import torch
import torch.nn.functional as F

from . import library

path = library.load()

forward = torch.ops.dwconv.forward.default
backward_data = torch.ops.dwconv.backward_data.default
backward_filter = torch.ops.dwconv.backward_filter.default
backward_bias = torch.ops.dwconv.backward_bias.default
packed_forward = torch.ops.dwconv._forward.default


@functools.lru_cache(maxsize=None)
def pack(stride, padding, dilation, activation=0):
    """The numbers of a call in one, seven bits each, or None where one is larger; csrc/ops.cpp unpacks it."""
    numbers = (*stride, *padding, *dilation, activation)
    if not all(0 <= number < 128 for number in numbers):
        return None
    return sum(number << 7 * place for place, number in enumerate(numbers))


def unpack(packed):
    numbers = [packed >> 7 * place & 127 for place in range(9)]
    return tuple(numbers[:2]), tuple(numbers[2:6]), tuple(numbers[6:8]), numbers[8]


aten = torch.ops.aten


def _silu_derivative(dy, z):
    if not torch.is_grad_enabled():
        return aten.silu_backward(dy, z)
    sigmoid = torch.sigmoid(z)  # silu_backward itself has no derivative
    return dy * sigmoid * (1 + z * (1 - sigmoid))


# Name, and PyTorch's function and its derivative, which can be derived again. Their order is that in
# csrc/element_calls.hpp.
_ACTIVATIONS = (
    ("none", lambda z: z, lambda dy, z: dy),
    ("relu", F.relu, lambda dy, z: aten.threshold_backward(dy, z, 0)),
    ("relu6", F.relu6, lambda dy, z: aten.hardtanh_backward(dy, z, 0, 6)),
    ("silu", F.silu, _silu_derivative),
    ("hardswish", F.hardswish, lambda dy, z: aten.hardswish_backward(dy, z)),
    ("gelu", F.gelu, lambda dy, z: aten.gelu_backward(dy, z, approximate="none")),
    ("gelu_tanh", lambda z: F.gelu(z, approximate="tanh"), lambda dy, z: aten.gelu_backward(dy, z, approximate="tanh")),
)
activations = {name: number for number, (name, _, _) in enumerate(_ACTIVATIONS)}


def activate(z, number):
    return _ACTIVATIONS[number][1](z)


# Shapes and strides -------------------------------------------------------------------------------------------------

def _format_of(x):
    """Tensors that are dense in neither layout are copied to the contiguous one."""
    dense_nhwc = not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if dense_nhwc else torch.contiguous_format


def _output_extent(size, taps, stride, before, after, dilation):
    return (size + before + after - dilation * (taps - 1) - 1) // stride + 1


def _output_shape(x, weight, stride, padding, dilation):
    height = _output_extent(x.shape[2], weight.shape[2], stride[0], padding[0], padding[1], dilation[0])
    width = _output_extent(x.shape[3], weight.shape[3], stride[1], padding[2], padding[3], dilation[1])
    return (x.shape[0], weight.shape[0], height, width)


def _fake_forward(x, weight, bias, stride, padding, dilation, activation=0):
    torch._check(x.dim() == 4 and weight.dim() == 4, lambda: "dwconv: the input and the weight must have 4 dimensions")
    torch._check(x.dtype == weight.dtype, lambda: "dwconv: the weight has another dtype than the input")
    shape = _output_shape(x, weight, stride, padding, dilation)
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=_format_of(x))


def _fake_backward_data(dy, x, weight, stride, padding, dilation):
    return torch.empty(x.shape, dtype=x.dtype, device=x.device, memory_format=_format_of(x))


def _fake_backward_filter(dy, x, weight, stride, padding, dilation):
    return torch.empty(weight.shape, dtype=x.dtype, device=x.device)


def _fake_backward_bias(dy):
    return torch.empty(dy.shape[1], dtype=dy.dtype, device=dy.device)


_FAKES = {"forward": _fake_forward, "backward_data": _fake_backward_data, "backward_filter": _fake_backward_filter,
          "backward_bias": _fake_backward_bias}


def _of_packed(function, name):
    """The function of an operator, for the one whose numbers are packed."""
    if name == "backward_bias":
        return function
    count = 4 if name == "forward" else 3
    return lambda *arguments: function(*arguments[:3], *unpack(arguments[3])[:count])


for _name, _fake in _FAKES.items():
    torch.library.register_fake(f"dwconv::{_name}", _fake)
    torch.library.register_fake(f"dwconv::_{_name}", _of_packed(_fake, _name))

# Gradients ----------------------------------------------------------------------------------------------------------

_WITH_GRADIENT = {name: getattr(torch.ops.dwconv, name).default for name in _FAKES}
_WITHOUT = {name: getattr(torch.ops.dwconv, "_" + name).default for name in _FAKES}


def _call(name, tensors, numbers):
    """An operator on the way back: the one without a gradient where no second one is asked for."""
    packed = None if torch.is_grad_enabled() else pack(*numbers)
    return _WITH_GRADIENT[name](*tensors, *numbers) if packed is None else _WITHOUT[name](*tensors, packed)


def _sum_of(dy):
    return (_WITH_GRADIENT if torch.is_grad_enabled() else _WITHOUT)["backward_bias"](dy)


def _keep(ctx, tensors, numbers):
    ctx.save_for_backward(*tensors)
    ctx.numbers = tuple(map(tuple, numbers))


def forward_context(ctx, inputs, output):
    x, weight, bias, stride, padding, dilation, activation = inputs
    _keep(ctx, (x, weight, bias if activation else None), (stride, padding, dilation))
    ctx.activation = activation


def forward_gradient(ctx, dy):
    x, weight, bias = ctx.saved_tensors
    if ctx.activation:
        # The sum before the activation was never stored: it is computed again.
        dy = _ACTIVATIONS[ctx.activation][2](dy, _call("forward", (x, weight, bias), ctx.numbers))
    return (_call("backward_data", (dy, x, weight), ctx.numbers) if ctx.needs_input_grad[0] else None,
            _call("backward_filter", (dy, x, weight), ctx.numbers) if ctx.needs_input_grad[1] else None,
            _sum_of(dy) if ctx.needs_input_grad[2] else None, None, None, None, None)


def _data_context(ctx, inputs, output):
    dy, _, weight, *numbers = inputs
    _keep(ctx, (dy, weight), numbers)


def _data_gradient(ctx, ddx):
    dy, weight = ctx.saved_tensors
    return (_call("forward", (ddx, weight, None), ctx.numbers) if ctx.needs_input_grad[0] else None, None,
            _call("backward_filter", (dy, ddx, weight), ctx.numbers) if ctx.needs_input_grad[2] else None,
            None, None, None)


def _filter_context(ctx, inputs, output):
    dy, x, _, *numbers = inputs
    _keep(ctx, (dy, x), numbers)


def _filter_gradient(ctx, ddfilter):
    dy, x = ctx.saved_tensors
    return (_call("forward", (x, ddfilter, None), ctx.numbers) if ctx.needs_input_grad[0] else None,
            _call("backward_data", (dy, x, ddfilter), ctx.numbers) if ctx.needs_input_grad[1] else None,
            None, None, None, None)


def _bias_context(ctx, inputs, output):
    ctx.shape = inputs[0].shape


def _bias_gradient(ctx, ddbias):
    return ddbias.reshape(1, -1, 1, 1).expand(ctx.shape)


torch.library.register_autograd("dwconv::forward", forward_gradient, setup_context=forward_context)
torch.library.register_autograd("dwconv::backward_data", _data_gradient, setup_context=_data_context)
torch.library.register_autograd("dwconv::backward_filter", _filter_gradient, setup_context=_filter_context)
torch.library.register_autograd("dwconv::backward_bias", _bias_gradient, setup_context=_bias_context)

# Autocast: as convolutions, in the lower precision -------------------------------------------------------------------

_lib = torch.library.Library("dwconv", "IMPL")
_AUTOCAST = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastCUDA)


def lower_precision(tensor, dtype):
    """What autocast makes of an argument of a convolution: float64 stays as it is."""
    if tensor is None or not tensor.is_floating_point() or tensor.dtype == torch.float64:
        return tensor
    return tensor.to(dtype)


def _autocast_forward(x, weight, bias, *numbers):
    dtype = torch.get_autocast_dtype("cuda")
    with torch._C._ExcludeDispatchKeyGuard(_AUTOCAST):
        return forward(lower_precision(x, dtype), lower_precision(weight, dtype), lower_precision(bias, dtype), *numbers)


_lib.impl("forward", _autocast_forward, "AutocastCUDA")

# On the CPU: ATen ----------------------------------------------------------------------------------------------------


def aten_forward(x, weight, bias, stride, padding, dilation, activation=0):
    """The same by PyTorch's own convolution."""
    top, bottom, left, right = padding
    if top != bottom or left != right:
        x, top, left = F.pad(x, (left, right, top, bottom)), 0, 0
    return activate(F.conv2d(x, weight, bias, stride, (top, left), dilation, groups=x.shape[1]), activation)


def _aten_backward(dy, x, weight, stride, padding, dilation, mask):
    top, bottom, left, right = padding
    padded = F.pad(x, (left, right, top, bottom))
    dx, dweight, _ = aten.convolution_backward(dy, padded, weight, None, stride, (0, 0), dilation, False, (0, 0),
                                               x.shape[1], mask)
    inner = dx[:, :, top:top + x.shape[2], left:left + x.shape[3]] if dx is not None else None
    return inner, dweight


def _cpu_forward(x, weight, bias, stride, padding, dilation, activation=0):
    return aten_forward(x, weight, bias, stride, padding, dilation, activation).contiguous(memory_format=_format_of(x))


def _cpu_backward_data(dy, x, weight, stride, padding, dilation):
    dx, _ = _aten_backward(dy, x, weight, stride, padding, dilation, (True, False, False))
    return dx.clone(memory_format=_format_of(x))


def _cpu_backward_filter(dy, x, weight, stride, padding, dilation):
    return _aten_backward(dy, x, weight, stride, padding, dilation, (False, True, False))[1].contiguous()


_CPU_KERNELS = {"forward": _cpu_forward, "backward_data": _cpu_backward_data, "backward_filter": _cpu_backward_filter,
                "backward_bias": lambda dy: dy.sum((0, 2, 3))}
for _name, _kernel in _CPU_KERNELS.items():
    _lib.impl(_name, _kernel, "CPU")
    _lib.impl("_" + _name, _of_packed(_kernel, _name), "CPU")
    for _key in ("AutogradCPU", "AutogradCUDA"):
        _lib.impl("_" + _name, torch.library.fallthrough_kernel, _key)

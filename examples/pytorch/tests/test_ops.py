# SPDX-License-Identifier: Apache-2.0
"""The operators against PyTorch's own convolution, and against what PyTorch asks of an operator."""
import pytest
import torch
from conftest import needs_cuda
from samples import LARGE, SMALL, Sample

from dwconv_torch import activations, ops

EVERY = SMALL + LARGE
# On the CPU the small ones do: ATen computes there.
PLACES = [pytest.param(sample, "cpu", id=f"cpu-{sample}") for sample in SMALL] + \
    [pytest.param(sample, "cuda", id=f"cuda-{sample}", marks=needs_cuda) for sample in EVERY]
DTYPES = [torch.float32, torch.float16, torch.bfloat16, torch.float64]
FORMATS = [torch.contiguous_format, torch.channels_last]


def truth(x, weight, bias, numbers, activation=0):
    """ATen's result in float64."""
    z = ops.aten_forward(x.double(), weight.double(), None if bias is None else bias.double(), *numbers)
    if activation == activations["hardswish"]:
        return z * (z + 3).clamp(0, 6) / 6  # PyTorch's takes a sixth in float
    return ops.activate(z, activation)


def check(result, expected, terms=1):
    """Within the tolerance of the type; sums of many terms lose a little more."""
    tolerance = {torch.float64: 1e-11, torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 1.6e-2}[result.dtype]
    scale = max(1.0, expected.abs().max().item())
    torch.testing.assert_close(result.double(), expected, rtol=tolerance, atol=tolerance * scale * max(1, terms ** 0.5 / 16))


@pytest.mark.parametrize("sample, device", PLACES)
@pytest.mark.parametrize("memory_format", FORMATS, ids=["nchw", "nhwc"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_forward_is_the_convolution(sample, device, dtype, memory_format):
    torch.manual_seed(0)
    x, weight, bias = sample.tensors(device, dtype, memory_format)
    y = ops.forward(x, weight, bias, *sample.numbers)
    check(y, truth(x, weight, bias, sample.numbers))
    assert y.is_contiguous(memory_format=torch.contiguous_format if x.is_contiguous() else memory_format)


@pytest.mark.parametrize("sample, device", PLACES)
@pytest.mark.parametrize("memory_format", FORMATS, ids=["nchw", "nhwc"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gradients_are_those_of_the_convolution(sample, device, dtype, memory_format):
    torch.manual_seed(0)
    x, weight, bias = sample.tensors(device, dtype, memory_format)
    wide = [None if t is None else t.double().requires_grad_() for t in (x, weight, bias)]
    expected = truth(*wide, sample.numbers)
    dy = torch.randn_like(expected).to(dtype)
    wanted = [t for t in wide if t is not None]
    gradients = torch.autograd.grad(expected, wanted, dy.double())
    terms = expected.numel() / expected.shape[1]
    check(ops.backward_data(dy, x, weight, *sample.numbers), gradients[0])
    check(ops.backward_filter(dy, x, weight, *sample.numbers), gradients[1], terms)
    if bias is not None:
        check(ops.backward_bias(dy), gradients[2], terms)


@pytest.mark.parametrize("activation", activations)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_activations_are_pytorchs(activation, dtype, device):
    for sample in (LARGE[0], SMALL[0], SMALL[3]):
        x, weight, bias = sample.tensors(device, dtype)
        for b in (bias, None):
            y = ops.forward(4 * x, weight, b, *sample.numbers, activations[activation])
            check(y, truth(4 * x, weight, b, sample.numbers, activations[activation]))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_tensors_with_gaps_are_read_right(dtype, device):
    sample = Sample((2, 8, 20, 24), (3, 3), padding=(1, 1, 1, 1))
    x, weight, bias = sample.tensors(device, dtype)
    expected = truth(x, weight, bias, sample.numbers)
    wide = torch.empty(2, 16, 20, 48, device=device, dtype=dtype)
    wide[:, ::2, :, ::2] = x
    check(ops.forward(wide[:, ::2, :, ::2], weight, bias, *sample.numbers), expected)
    check(ops.forward(x.transpose(2, 3).contiguous().transpose(2, 3), weight, bias, *sample.numbers), expected)
    repeated = torch.stack([weight, weight], -1)[..., 0]
    check(ops.forward(x, repeated, torch.stack([bias, bias], -1)[:, 0], *sample.numbers), expected)
    # One element past where the storage begins.
    shifted = torch.empty(x.numel() + 1, device=device, dtype=dtype)[1:].view(x.shape).copy_(x)
    check(ops.forward(shifted, weight, bias, *sample.numbers), expected)


def test_an_expanded_gradient_is_read_right(device):
    sample = LARGE[0]
    x, weight, bias = (t.requires_grad_() for t in sample.tensors(device, torch.float32))
    ops.forward(x, weight, bias, *sample.numbers).sum().backward()
    wide = [t.detach().double().requires_grad_() for t in (x, weight, bias)]
    truth(*wide, sample.numbers).sum().backward()
    for ours, theirs in zip((x, weight, bias), wide):
        check(ours.grad, theirs.grad, 4 * 56 * 56)


def test_an_empty_batch_gives_empty_results_and_zero_gradients(device):
    sample = Sample((0, 4, 8, 8), (3, 3))
    x, weight, bias = (t.requires_grad_() for t in sample.tensors(device, torch.float32))
    y = ops.forward(x, weight, bias, *sample.numbers)
    assert y.shape == (0, 4, 6, 6)
    y.sum().backward()
    assert x.grad.shape == x.shape and not weight.grad.any() and not bias.grad.any()


@pytest.mark.parametrize("wrong, words", [
    (dict(weight=torch.zeros(6, 1, 9, 9)), "filter.height spans 9"),
    (dict(weight=torch.zeros(7, 1, 3, 3)), "7 filters, must be a multiple of the input's 6 channels"),
    (dict(weight=torch.zeros(6, 6, 3, 3)), "the weight must be"),
    (dict(weight=torch.zeros(6, 1, 3, 3, dtype=torch.float64)), "another dtype"),
    (dict(bias=torch.zeros(5)), r"the bias must be \[6\]"),
    (dict(stride=(0, 1)), "stride.height is 0, must be at least 1"),
    (dict(activation=7), "there is no activation 7"),
])
def test_a_wrong_argument_is_named(wrong, words, cuda):
    arguments = dict(x=torch.zeros(2, 6, 8, 8), weight=torch.zeros(6, 1, 3, 3), bias=None, stride=(1, 1),
                     padding=(0, 0, 0, 0), dilation=(1, 1), activation=0) | wrong
    with pytest.raises(RuntimeError, match=words):
        ops.forward(*(a.to(cuda) if isinstance(a, torch.Tensor) else a for a in arguments.values()))


@pytest.mark.parametrize("sample", SMALL, ids=str)
def test_gradcheck_and_gradgradcheck(sample, device):
    tensors = [None if t is None else t.requires_grad_() for t in sample.tensors(device, torch.float64)]

    def call(*tensors):
        return ops.forward(*tensors, *sample.numbers)

    assert torch.autograd.gradcheck(call, tensors, fast_mode=device == "cuda")
    assert torch.autograd.gradgradcheck(call, tensors, fast_mode=device == "cuda")


@pytest.mark.parametrize("activation", list(activations)[1:])
def test_gradcheck_through_activations(activation, device):
    sample = SMALL[0]
    tensors = [t.requires_grad_() for t in sample.tensors(device, torch.float64)]

    def call(*tensors):
        return ops.forward(*tensors, *sample.numbers, activations[activation])

    assert torch.autograd.gradcheck(call, tensors, fast_mode=True)
    if activation not in ("relu", "relu6", "hardswish"):  # where the second derivative is everywhere defined
        assert torch.autograd.gradgradcheck(call, tensors, fast_mode=True)


def opcheck_arguments(sample, device, dtype, memory_format):
    x, weight, bias = sample.tensors(device, dtype, memory_format)
    dy = torch.randn_like(ops.forward(x, weight, bias, *sample.numbers))
    x, weight, dy = (t.requires_grad_() for t in (x, weight, dy))
    yield ops.forward, (x, weight, None if bias is None else bias.requires_grad_(), *sample.numbers)
    yield ops.backward_data, (dy, x, weight, *sample.numbers)
    yield ops.backward_filter, (dy, x, weight, *sample.numbers)
    yield ops.backward_bias, (dy,)


@pytest.mark.parametrize("memory_format", FORMATS, ids=["nchw", "nhwc"])
@pytest.mark.parametrize("sample", SMALL, ids=str)
def test_opcheck(sample, memory_format, device):
    for op, arguments in opcheck_arguments(sample, device, torch.float32, memory_format):
        torch.library.opcheck(op, arguments)


@pytest.mark.parametrize("activation", list(activations)[1:])
def test_opcheck_of_activations(activation, device):
    x, weight, bias = (t.requires_grad_() for t in SMALL[0].tensors(device, torch.float32))
    torch.library.opcheck(ops.forward, (x, weight, bias, *SMALL[0].numbers, activations[activation]))


def test_the_same_call_gives_the_same_bits(device):
    sample = LARGE[3]
    x, weight, _ = sample.tensors(device, torch.float16)
    dy = torch.randn_like(x)
    calls = [lambda: ops.forward(x, weight, None, *sample.numbers),
             lambda: ops.backward_data(dy, x, weight, *sample.numbers),
             lambda: ops.backward_filter(dy, x, weight, *sample.numbers), lambda: ops.backward_bias(dy)]
    for call in calls:
        first = call()
        assert all(torch.equal(first, call()) for _ in range(5))

# SPDX-License-Identifier: Apache-2.0
"""The short way of a call in eager mode, against the long one: same results, and everything unusual left to it."""
import contextlib
import os
import sysconfig

import pytest
import torch
from samples import LARGE, SMALL, Sample
from torch.utils.checkpoint import checkpoint

import dwconv_torch
from dwconv_torch import DepthwiseConv2d, depthwise_conv2d, eager, functional, modules, ops

PLAIN = Sample((2, 4, 9, 10), (3, 3), padding=(1, 1, 1, 1))


def eagerly(x, weight, bias=None, stride=(1, 1), padding=(0, 0, 0, 0), dilation=(1, 1), activation=0, channels=0):
    return functional.convolve_eagerly(x, weight, bias, stride, padding, dilation, activation, channels)


@pytest.fixture(autouse=True)
def short_way(pytestconfig):
    if functional.convolve_eagerly is None:
        wanted = pytestconfig.getoption("--need-cuda") and "DWCONV_TORCH_EAGER" not in os.environ
        (pytest.fail if wanted else pytest.skip)("csrc/eager.cpp is not there for this PyTorch and this Python")


@pytest.fixture
def long_way(monkeypatch):
    """Takes the short one away."""
    @contextlib.contextmanager
    def without():
        with monkeypatch.context() as patch:
            for module in (functional, modules):
                patch.setattr(module, "convolve_eagerly", None)
            yield
    return without


def results(sample, x, weight, bias):
    leaves = [t.detach().clone().requires_grad_() for t in (x, weight, bias) if t is not None]
    y = depthwise_conv2d(*(leaves + [None])[:3], *sample.numbers)
    dy = torch.linspace(-1, 1, y.numel(), device=y.device).view(y.shape).to(y.dtype)
    with torch.no_grad():
        silent = depthwise_conv2d(*(leaves + [None])[:3], *sample.numbers, activation="silu")
    return [y, silent, *torch.autograd.grad(y, leaves, dy)]


@pytest.mark.parametrize("sample", SMALL + LARGE, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64], ids=str)
def test_both_ways_give_the_same_bits(sample, dtype, cuda, long_way):
    tensors = sample.tensors(cuda, dtype)
    assert eagerly(*tensors, *sample.numbers) is not None
    short = results(sample, *tensors)
    with long_way():
        for ours, expected in zip(short, results(sample, *tensors)):
            assert torch.equal(ours, expected)


def test_a_batch_of_none(cuda, long_way):
    sample = Sample((0, 4, 9, 10), (3, 3), padding=(1, 1, 1, 1))
    tensors = sample.tensors(cuda, torch.float32)
    assert eagerly(*tensors, *sample.numbers).shape == (0, 4, 9, 10)
    short = results(sample, *tensors)
    with long_way():
        for ours, expected in zip(short, results(sample, *tensors)):
            assert ours.shape == expected.shape and torch.equal(ours, expected)


def test_inference_mode(cuda):
    outside = PLAIN.tensors(cuda, torch.float32)
    expected = eagerly(*outside, *PLAIN.numbers)
    with torch.inference_mode():
        for tensors in (outside, [t.clone() for t in outside]):
            y = eagerly(*tensors, *PLAIN.numbers)
            assert y is not None and y.is_inference() and torch.equal(y, expected)


def test_it_runs_on_the_current_stream(cuda):
    x, weight, bias = PLAIN.tensors(cuda, torch.float32)
    weight.requires_grad_()
    y = eagerly(x, weight, bias, *PLAIN.numbers)
    expected = [y, *torch.autograd.grad(y.sum(), weight)]
    late = torch.zeros_like(x)
    torch.cuda.synchronize()
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(100_000_000)  # on another stream the kernels would find zeros
        late.copy_(x)
        y = eagerly(late, weight, bias, *PLAIN.numbers)
        found = [y, *torch.autograd.grad(y.sum(), weight)]
    torch.cuda.synchronize()
    for ours, theirs in zip(found, expected):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("padding", [1, "same"])
@pytest.mark.parametrize("activation", [name for name in dwconv_torch.activations if name != "none"])
def test_an_activation_with_a_gradient(activation, padding, cuda, long_way):
    tensors = [t.requires_grad_() for t in PLAIN.tensors(cuda, torch.float32)]
    assert eagerly(*tensors, *PLAIN.numbers, activation=dwconv_torch.activations[activation]) is None
    found = []
    for way in (contextlib.nullcontext, long_way):
        with way():
            y = depthwise_conv2d(*tensors, padding=padding, activation=activation)
        recorded = y.grad_fn.next_functions[0][0].name()
        assert ("DepthwiseConvolution" in recorded) == (way is contextlib.nullcontext)
        found.append([y, *torch.autograd.grad(y.square().sum(), tensors)])
    for ours, expected in zip(*found):
        assert torch.equal(ours, expected)


@pytest.mark.parametrize("wanted", [(0,), (1,), (2,), (0, 2), (1, 2), (0, 1)])
def test_only_the_gradients_asked_for(wanted, cuda):
    tensors = PLAIN.tensors(cuda, torch.float32)
    expected = torch.autograd.grad(depthwise_conv2d(*(t.requires_grad_() for t in tensors), *PLAIN.numbers).sum(), tensors)
    leaves = [t.detach().requires_grad_(place in wanted) for place, t in enumerate(tensors)]
    y = depthwise_conv2d(*leaves, *PLAIN.numbers)
    y.sum().backward()
    for place, (leaf, gradient) in enumerate(zip(leaves, expected)):
        assert torch.equal(leaf.grad, gradient) if place in wanted else leaf.grad is None


def test_numbers_and_tuples_of_them(cuda):
    x, weight, bias = PLAIN.tensors(cuda, torch.float32)
    expected = eagerly(x, weight, bias, (2, 2), (1, 1, 1, 1))
    for stride, padding in [(2, 1), (2, (1, 1)), ((2, 2), (1, 1, 1, 1))]:
        assert torch.equal(eagerly(x, weight, bias, stride, padding, 1), expected)


def test_what_is_not_usual_is_left_to_the_long_way(cuda):
    x, weight, bias = PLAIN.tensors(cuda, torch.float32)

    class Own(torch.Tensor):
        pass

    assert eagerly(x, weight, bias) is not None and eagerly(x, weight, channels=4) is not None
    for unusual in [(x.cpu(), weight, bias), (x.half(), weight, bias), (x, weight.half(), bias), (x, weight, bias[:2]),
                    (x.to(memory_format=torch.channels_last), weight, bias), (x[..., ::2], weight, bias), (x[0], weight, bias),
                    (x[:, :3], weight, bias), (x.as_subclass(Own), weight, bias), (x.to("meta"), weight, bias),
                    (x.to(torch.complex64).conj().imag, weight, bias), (x.int(), weight.int(), None),
                    (x, weight.repeat(1, 4, 1, 1), bias), (None, weight, bias), (x, weight, "bias")]:
        assert eagerly(*unusual) is None
    for numbers in [dict(stride=1.0), dict(stride=(1, 1, 1)), dict(padding="same"), dict(padding=[1, 1]), dict(dilation=20),
                    dict(stride=0), dict(stride=2**80), dict(activation=99), dict(channels=8)]:
        assert eagerly(x, weight, bias, **numbers) is None
    with pytest.raises(TypeError, match="8 arguments"):
        functional.convolve_eagerly(x, weight)


def test_modes_and_transforms_are_seen(cuda):
    x, weight, _ = PLAIN.tensors(cuda, torch.float32)
    answers = []

    def seen(x):
        answers.append(eagerly(x, weight))
        return x.sum()

    torch.func.grad(seen)(x)
    torch.func.vmap(seen)(x[None])
    with torch.autograd.forward_ad.dual_level():
        seen(torch.autograd.forward_ad.make_dual(x, x))
    with torch.overrides.BaseTorchFunctionMode():
        seen(x)
    with torch._subclasses.FakeTensorMode(allow_non_fake_inputs=True):
        seen(x)
    assert answers == [None] * 5


def test_autocast_casts_and_gradients_come_back(cuda, long_way):
    layer = DepthwiseConv2d(4, 4, 3, padding=1, device=cuda)
    x = torch.randn(2, 4, 9, 10, device=cuda)
    found = []
    for way in (contextlib.nullcontext, long_way):
        layer.zero_grad()
        with way(), torch.autocast("cuda", torch.bfloat16):
            y = layer(x)
            assert y.dtype == torch.bfloat16
        y.float().square().sum().backward()
        assert layer.weight.grad.dtype == torch.float32
        found.append([y, layer.weight.grad, layer.bias.grad])
    for ours, expected in zip(*found):
        assert torch.equal(ours, expected)


@pytest.mark.parametrize("padding", [0, "same"])
@pytest.mark.parametrize("taps", [3, 11], ids=["to ATen", "copied"])
def test_what_is_refused_under_autocast_is_cast_once(taps, padding, cuda):
    layer = DepthwiseConv2d(4, 4, taps, padding=padding, device=cuda)
    x = torch.randn(2, 4, 19, 20, device=cuda).to(memory_format=torch.channels_last)
    for call in (layer, lambda x: depthwise_conv2d(x, layer.weight, layer.bias, padding=padding)):
        with torch.autocast("cuda", torch.bfloat16):
            call(x)
            with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
                call(x)
        casts = sum(event.count for event in profile.key_averages() if event.key == "aten::_to_copy")
        assert casts == 3  # of x, weight and bias


@pytest.mark.parametrize("sample", SMALL, ids=str)
def test_gradients_of_gradients(sample, cuda):
    tensors = [t.requires_grad_() for t in sample.tensors(cuda, torch.float32) if t is not None]
    if eagerly(*(tensors + [None])[:3], *sample.numbers) is None:
        pytest.skip("no kernels for float32")

    def second(call, tensors):
        first = torch.autograd.grad(call(*tensors).square().sum(), tensors, create_graph=True)
        return torch.autograd.grad(sum(gradient.square().sum() for gradient in first), tensors)

    ours = second(lambda *t: depthwise_conv2d(*(t + (None,))[:3], *sample.numbers), tensors)
    wide = [t.detach().double().requires_grad_() for t in tensors]
    theirs = second(lambda *t: ops.aten_forward(*(t + (None,))[:3], *sample.numbers), wide)
    for our, their in zip(ours, theirs):
        torch.testing.assert_close(our.double() / their.abs().max(), their / their.abs().max(), rtol=1e-4, atol=1e-5)


def test_a_graph_is_used_up_and_guards_what_it_keeps(cuda):
    x, weight, bias = (t.requires_grad_() for t in PLAIN.tensors(cuda, torch.float32))
    y = depthwise_conv2d(x, weight, bias, padding=1)
    assert "Convolution" in y.grad_fn.name() and y.is_contiguous()
    y.sum().backward()
    with pytest.raises(RuntimeError, match="second time"):
        y.sum().backward()
    y = depthwise_conv2d(x, weight, bias, padding=1)
    with torch.no_grad():
        weight.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_gradients_that_are_not_dense(cuda, long_way):
    tensors = [t.requires_grad_() for t in PLAIN.tensors(cuda, torch.float32)]
    wide = torch.randn(2, 4, 9, 20, device=cuda)
    for dy in (wide[..., ::2], torch.ones((), device=cuda).expand(2, 4, 9, 10),
               wide[..., :10].to(memory_format=torch.channels_last)):
        found = []
        for way in (contextlib.nullcontext, long_way):
            with way():
                found.append(torch.autograd.grad(depthwise_conv2d(*tensors, *PLAIN.numbers), tensors, dy))
        assert all(torch.equal(ours, expected) for ours, expected in zip(*found))


def test_hooks_and_checkpoints(cuda):
    layer = DepthwiseConv2d(4, 4, 3, padding=1, device=cuda)
    x = torch.randn(2, 4, 9, 10, device=cuda, requires_grad=True)
    expected = torch.autograd.grad(layer(x).square().sum(), (x, *layer.parameters()))
    packed = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: (packed.append(t.shape), t.cpu())[1], lambda t: t.to(cuda)):
        y = layer(x)
    assert packed[:2] == [x.shape, layer.weight.shape]
    seen = []
    y.grad_fn.register_hook(lambda *gradients: seen.append(len(gradients)))
    again = [torch.autograd.grad(y.square().sum(), (x, *layer.parameters())),
             torch.autograd.grad(checkpoint(layer, x, use_reentrant=False).square().sum(), (x, *layer.parameters()))]
    for gradients in again:
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(gradients, expected))
    assert seen


def test_compiled_autograd_traces_it(cuda):
    torch._dynamo.reset()
    tensors = [t.requires_grad_() for t in PLAIN.tensors(cuda, torch.float32)]
    depthwise_conv2d(*tensors, *PLAIN.numbers).square().sum().backward()
    expected = [t.grad for t in tensors]
    for t in tensors:
        t.grad = None
    with torch._dynamo.compiled_autograd._enable(torch.compile(backend="eager")):
        depthwise_conv2d(*tensors, *PLAIN.numbers).square().sum().backward()
    for t, gradient in zip(tensors, expected):
        torch.testing.assert_close(t.grad, gradient)


def test_a_profile_names_it(cuda):
    tensors = [t.requires_grad_() for t in PLAIN.tensors(cuda, torch.float32)]
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        depthwise_conv2d(*tensors, *PLAIN.numbers).sum().backward()
    assert {"dwconv::forward", "dwconv::backward"} <= {event.key for event in profile.key_averages()}


def test_another_version_of_pytorch_or_python_gets_none(monkeypatch, tmp_path):
    soabi = sysconfig.get_config_var("SOABI")
    assert eager.name_for("2.11.0+cu130", "cpython-312-x86_64-linux-gnu") == \
        "_eager_2_11_0_cu130_cpython_312_x86_64_linux_gnu"
    monkeypatch.setattr(torch, "__version__", "99.0")
    assert eager.load(ops.path) is None
    monkeypatch.undo()
    for variables in ({"SOABI": "cpython-399-x86_64-linux-gnu"}, {"SOABI": soabi, "Py_GIL_DISABLED": 1}):
        monkeypatch.setattr(sysconfig, "get_config_var", variables.get)
        assert eager.load(ops.path) is None
        monkeypatch.undo()
    monkeypatch.setenv("DWCONV_TORCH_EAGER", "0")
    assert eager.load(ops.path) is None
    monkeypatch.undo()
    assert eager.load("loaded before") is None
    (tmp_path / f"{eager.name_for(torch.__version__, soabi)}.so").write_bytes(b"no library")
    monkeypatch.setenv("DWCONV_TORCH_EAGER", str(tmp_path))
    assert eager.load(ops.path) is None

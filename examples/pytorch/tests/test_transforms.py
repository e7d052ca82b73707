# SPDX-License-Identifier: Apache-2.0
"""What may be wrapped around a model: torch.compile, autocast, CUDA graphs, streams, deterministic algorithms."""
import contextlib

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import dwconv_torch
from dwconv_torch import DepthwiseConv2d


def close(ours, theirs, tolerance=1e-4):
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.depthwise = DepthwiseConv2d(8, 16, 3, padding=1)
        self.pointwise = nn.Conv2d(16, 8, 1)

    def forward(self, x):
        return F.gelu(self.pointwise(self.depthwise(x)))


def plain(block):
    """The same through F.conv2d."""
    def call(x):
        hidden = F.conv2d(x, block.depthwise.weight, block.depthwise.bias, padding=1, groups=8)
        return F.gelu(block.pointwise(hidden))
    return call


@pytest.fixture(params=["eager", "aot_eager"])
def compiled(request):
    torch._dynamo.reset()
    backend = request.param
    return lambda model, **options: torch.compile(model, fullgraph=True, backend=backend, **options)


@pytest.mark.parametrize("autocast", [False, True])
def test_compiles_to_one_graph_for_training_and_inference(compiled, autocast, device):
    block = Block().to(device)
    model = compiled(block)
    x = torch.randn(2, 8, 12, 12, device=device)
    half = torch.autocast(device, torch.bfloat16) if autocast else contextlib.nullcontext()
    with half:
        expected = plain(block)(x)
        y = model(x)
        close(y, expected, 2e-2 if autocast else 1e-4)
        y.float().sum().backward()
        with torch.no_grad():
            close(model(x), expected, 2e-2 if autocast else 1e-4)


def test_dynamic_shapes_compile_a_few_times_only(compiled, device):
    block = Block().to(device)
    torch._dynamo.config.error_on_recompile = False
    compiles = torch._dynamo.testing.CompileCounter()
    model = torch.compile(block, fullgraph=True, backend=compiles)
    for batch, size in [(2, 12), (3, 13), (4, 16), (5, 20), (6, 31), (7, 24), (8, 48)]:
        x = torch.randn(batch, 8, size, size + 1, device=device)
        close(model(x), plain(block)(x))
    assert compiles.frame_count <= 3


def test_inductor_compiles_it(cuda):
    torch._dynamo.reset()
    block = Block().to(cuda)
    x = torch.randn(2, 8, 12, 12, device=cuda, requires_grad=True)
    y = torch.compile(block, fullgraph=True)(x)
    expected = plain(block)(x)
    close(y, expected)
    dy = torch.randn_like(y)
    close(torch.autograd.grad(y, x, dy)[0], torch.autograd.grad(expected, x, dy)[0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_autocast_computes_in_the_lower_precision(dtype, cuda):
    block = Block().to(cuda)
    x = torch.randn(2, 8, 12, 12, device=cuda, requires_grad=True)
    with torch.autocast("cuda", dtype):
        assert block.depthwise.fallback_reason(x) is None
        hidden = block.depthwise(x)
        assert hidden.dtype == dtype
        y, expected = block(x), plain(block)(x)
        with torch.no_grad():
            assert torch.equal(block.depthwise(x), hidden)
    close(y, expected, 2e-2)
    y.float().sum().backward()
    assert block.depthwise.weight.grad.dtype == torch.float32 and x.grad.dtype == torch.float32
    with torch.autocast("cuda", dtype, enabled=False):
        assert block.depthwise(x).dtype == torch.float32
    # float64 stays what it is.
    wide = Block().to(cuda).double().depthwise
    with torch.autocast("cuda", dtype):
        assert wide(x.double()).dtype == torch.float64


def test_training_with_a_gradient_scaler(cuda):
    block = Block().to(cuda)
    optimiser, scaler = torch.optim.Adam(block.parameters(), 1e-2), torch.amp.GradScaler("cuda")
    x = torch.randn(16, 8, 24, 24, device=cuda)
    losses = []
    for _ in range(40):
        optimiser.zero_grad()
        with torch.autocast("cuda", torch.float16):
            loss = (block(x).float() - x).square().mean()
        scaler.scale(loss).backward()
        scaler.step(optimiser)
        scaler.update()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_cuda_graphs_replay_forward_and_backward(cuda):
    layer = DepthwiseConv2d(16, 16, 7, padding=3, device=cuda)
    x = torch.randn(4, 16, 28, 28, device=cuda, requires_grad=True)
    dy = torch.randn_like(x)
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):  # loads the kernels before the capture
        for _ in range(3):
            layer(x).backward(dy)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    x.grad = layer.weight.grad = layer.bias.grad = None
    with torch.cuda.graph(graph):
        y = layer(x)
        y.backward(dy)
    for _ in range(3):
        with torch.no_grad():
            x.copy_(torch.randn_like(x))
            dy.copy_(torch.randn_like(dy))
        graph.replay()
        fresh = x.detach().clone().requires_grad_()
        expected = F.conv2d(fresh, layer.weight, layer.bias, padding=3, groups=16)
        close(y, expected)
        dx, dweight, dbias = torch.autograd.grad(expected, (fresh, layer.weight, layer.bias), dy)
        close(x.grad, dx)
        close(layer.weight.grad, dweight, 1e-3)
        close(layer.bias.grad, dbias, 1e-3)


def test_the_current_stream_is_used(cuda):
    layer = DepthwiseConv2d(16, 16, 3, device=cuda)
    x = torch.randn(8, 16, 64, 64, device=cuda)
    expected = F.conv2d(x, layer.weight, layer.bias, groups=16)
    torch.cuda.synchronize()
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream), torch.no_grad():
        torch.cuda._sleep(20_000_000)
        late = x * 2
        y = layer(late)
    torch.cuda.synchronize()
    close(y - layer.bias.detach().view(1, -1, 1, 1), 2 * (expected - layer.bias.view(1, -1, 1, 1)), 1e-3)


def test_deterministic_algorithms_may_be_demanded(cuda):
    layer = DepthwiseConv2d(16, 16, 3, padding=1, device=cuda)
    x = torch.randn(8, 16, 32, 32, device=cuda)
    torch.use_deterministic_algorithms(True)
    try:
        layer(x).square().sum().backward()
    finally:
        torch.use_deterministic_algorithms(False)


def test_timm_models_give_the_same_outputs(cuda):
    timm = pytest.importorskip("timm")
    for name in ("convnext_tiny", "mobilenetv3_large_100", "efficientnet_b0"):
        torch.manual_seed(0)
        model = timm.create_model(name, pretrained=False).to(cuda).eval()
        x = torch.randn(4, 3, 224, 224, device=cuda)
        with torch.no_grad():
            expected = model(x)
            done = dwconv_torch.convert(model)
            assert done.swapped
            close(model(x), expected, 1e-3)

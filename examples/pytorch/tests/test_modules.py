# SPDX-License-Identifier: Apache-2.0
"""DepthwiseConv2d and convert beside nn.Conv2d."""
import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import dwconv_torch
from dwconv_torch import DepthwiseConv2d, depthwise_conv2d

ARGUMENTS = [
    dict(in_channels=8, out_channels=8, kernel_size=3),
    dict(in_channels=8, out_channels=24, kernel_size=(3, 5), padding=(1, 2), bias=False),
    dict(in_channels=8, out_channels=8, kernel_size=5, stride=2, padding=2),
    dict(in_channels=8, out_channels=8, kernel_size=4, padding="same"),
    dict(in_channels=8, out_channels=8, kernel_size=(2, 6), padding="same", dilation=(3, 1)),
    dict(in_channels=8, out_channels=8, kernel_size=3, padding="valid", stride=(1, 2)),
    dict(in_channels=8, out_channels=8, kernel_size=3, padding=1, padding_mode="reflect"),
    dict(in_channels=8, out_channels=8, kernel_size=4, padding="same", padding_mode="circular"),
    dict(in_channels=8, out_channels=16, kernel_size=3, padding=2, padding_mode="replicate", dilation=2, stride=2),
]


def close(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def both(arguments, device):
    """Ours and PyTorch's, made from the same seed."""
    torch.manual_seed(1)
    theirs = nn.Conv2d(groups=arguments["in_channels"], device=device, **arguments)
    torch.manual_seed(1)
    return DepthwiseConv2d(device=device, **arguments), theirs


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=lambda a: "-".join(map(str, a.values())))
def test_module_has_parameters_results_and_gradients_of_conv2d(arguments, device):
    ours, theirs = both(arguments, device)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value)
    for size in [(4, 8, 20, 23), (8, 20, 23)]:
        x = torch.randn(size, device=device)
        mine, their_x = x.clone().requires_grad_(), x.clone().requires_grad_()
        y, expected = ours(mine), theirs(their_x)
        close(y, expected)
        dy = torch.randn_like(expected)
        ours.zero_grad(), theirs.zero_grad()
        y.backward(dy), expected.backward(dy)
        close(mine.grad, their_x.grad)
        for our_parameter, their_parameter in zip(ours.parameters(), theirs.parameters()):
            close(our_parameter.grad, their_parameter.grad)
        with torch.no_grad():
            close(ours(x), theirs(x))


def test_state_dict_goes_both_ways(device, tmp_path):
    ours, theirs = both(ARGUMENTS[1], device)
    nn.init.normal_(theirs.weight)
    torch.save(theirs.state_dict(), tmp_path / "theirs.pt")
    ours.load_state_dict(torch.load(tmp_path / "theirs.pt", weights_only=True))
    torch.save(ours.state_dict(), tmp_path / "ours.pt")
    again = nn.Conv2d(8, 24, (3, 5), padding=(1, 2), groups=8, bias=False, device=device)
    again.load_state_dict(torch.load(tmp_path / "ours.pt", weights_only=True))
    assert torch.equal(again.weight, theirs.weight)


def test_wrong_arguments_are_refused(device):
    with pytest.raises(ValueError, match="groups is 4, must be in_channels, 8"):
        DepthwiseConv2d(8, 8, 3, groups=4)
    with pytest.raises(ValueError, match="strided"):
        depthwise_conv2d(torch.zeros(1, 8, 9, 9), torch.zeros(8, 1, 3, 3), stride=2, padding="same")
    # 16 filters for 8 channels: with 4 or 16 in the input it would be some other convolution.
    layer = DepthwiseConv2d(8, 16, 3, device=device)
    for channels in (4, 16):
        with pytest.raises(RuntimeError, match="to have 8 channels"):
            layer(torch.zeros(1, channels, 9, 9, device=device))


def test_functional_form_takes_what_conv2d_takes(device):
    x, weight, bias = torch.randn(2, 8, 17, 19, device=device), torch.randn(16, 1, 3, 4, device=device), torch.randn(
        16, device=device)
    for numbers in [dict(), dict(stride=2), dict(padding=(1, 2)), dict(padding="same"), dict(padding="same", dilation=2),
                    dict(padding="valid", stride=(2, 1))]:
        close(depthwise_conv2d(x, weight, bias, **numbers), F.conv2d(x, weight, bias, groups=8, **numbers))
    close(depthwise_conv2d(x, weight, bias, padding=(2, 0, 3, 0), activation="silu"),
          F.silu(F.conv2d(F.pad(x, (3, 0, 2, 0)), weight, bias, groups=8)))
    weight.requires_grad_()
    close(depthwise_conv2d(x, weight, bias, activation="gelu"), F.gelu(F.conv2d(x, weight, bias, groups=8)))


def small_model(device):
    torch.manual_seed(2)
    return nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1, groups=16),
                         nn.BatchNorm2d(16), nn.Conv2d(16, 32, 5, stride=2, groups=16), nn.Conv2d(32, 32, 3, groups=4),
                         nn.Flatten(), nn.LazyLinear(10)).to(device)


def test_convert_swaps_in_place_and_says_what_it_left(device):
    model = small_model(device)
    x = torch.randn(4, 3, 24, 24, device=device)
    expected = model(x)
    layer, weight = model[2], model[2].weight
    calls = []
    layer.register_forward_hook(lambda *_: calls.append(1))
    done = dwconv_torch.convert(model)
    assert done.swapped == ["2", "4"] and set(done.left) == {"0", "5"}
    assert "groups is 1" in done.left["0"] and "groups is 4" in done.left["5"]
    assert model[2] is layer and type(layer) is DepthwiseConv2d and layer.weight is weight
    close(model(x), expected)
    assert calls == [1]
    assert dwconv_torch.convert(model).swapped == []
    assert "swapped 2" in str(done)


def test_convert_leaves_other_classes(device):
    class Own(nn.Conv2d):
        pass

    normed = nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 3, groups=4))
    model = nn.ModuleDict({"own": Own(4, 4, 3, groups=4), "line": nn.Conv1d(4, 4, 3, groups=4), "normed": normed})
    done = dwconv_torch.convert(model)
    assert done.swapped == [] and set(done.left) == {"own", "line", "normed"}


def test_converted_layers_survive_copies_and_pickles(device, tmp_path):
    model = small_model(device)
    x = torch.randn(4, 3, 24, 24, device=device)
    model(x)
    dwconv_torch.convert(model)
    expected = model(x)
    close(copy.deepcopy(model)(x), expected)
    torch.save(model, tmp_path / "model.pt")
    close(torch.load(tmp_path / "model.pt", weights_only=False)(x), expected)


def test_training_goes_the_same_way(device):
    models = [small_model(device), small_model(device)]
    x, target = torch.randn(8, 3, 24, 24, device=device), torch.randint(10, (8,), device=device)
    for model in models:
        torch.manual_seed(3)
        model(x)
    models[1].load_state_dict(models[0].state_dict())
    dwconv_torch.convert(models[1])
    losses = []
    for model in models:
        optimiser = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        steps = []
        for _ in range(5):
            optimiser.zero_grad()
            loss = F.cross_entropy(model(x), target)
            loss.backward()
            optimiser.step()
            steps.append(loss.item())
        losses.append(steps)
    assert losses[0][-1] < losses[0][0]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


def test_cpu_goes_to_aten_with_a_reason():
    layer = DepthwiseConv2d(4, 4, 3)
    assert "CUDA" in layer.fallback_reason(torch.zeros(1, 4, 8, 8))
    assert "ATen" in dwconv_torch.describe(torch.zeros(1, 4, 8, 8), layer.weight)


def test_reasons_on_a_device(cuda):
    layer = DepthwiseConv2d(4, 4, 3, device=cuda)
    x = torch.randn(2, 4, 16, 16, device=cuda)
    assert layer.fallback_reason(x) is None
    assert "family" in dwconv_torch.describe(x, layer.weight)
    assert "channels_last" in layer.fallback_reason(x.to(memory_format=torch.channels_last))
    assert "float64" in layer.fallback_reason(x.double())
    assert "float8" in dwconv_torch.fallback_reason(x.to(torch.float8_e4m3fn), layer.weight.to(torch.float8_e4m3fn))
    assert layer.fallback_reason(x[:, :, ::2, ::2]) is None


@pytest.mark.parametrize("arguments, goes", [
    (ARGUMENTS[0], False), (dict(in_channels=8, out_channels=16, kernel_size=3), True),
    (dict(in_channels=8, out_channels=8, kernel_size=13, padding="same"), True),
    (dict(in_channels=8, out_channels=8, kernel_size=7, padding=3), True)])
def test_channels_last_keeps_its_strides_and_results(arguments, goes, cuda):
    ours, theirs = both(arguments, cuda)
    tensors = [torch.randn(4, 8, 20, 24, device=cuda).to(memory_format=torch.channels_last) for _ in range(2)]
    tensors[1].copy_(tensors[0])
    assert (ours.fallback_reason(tensors[0]) is None) == goes
    results = []
    for layer, x in zip((ours, theirs), tensors):
        y = layer(x.requires_grad_())
        assert y.is_contiguous(memory_format=torch.channels_last)
        dx, dweight = torch.autograd.grad(y, (x, layer.weight), torch.ones_like(y), create_graph=True)
        assert dx.is_contiguous(memory_format=torch.channels_last)
        results.append([y, dx, dweight, *torch.autograd.grad(dx.square().sum() + dweight.square().sum(), (x, layer.weight))])
    for our, their in zip(*results):
        close(our / their.abs().max(), their / their.abs().max())


def test_function_transforms_are_atens(device):
    ours, theirs = both(ARGUMENTS[0], device)
    x, tangent = torch.randn(2, 2, 8, 9, 10, device=device)

    def transformed(layer):
        with torch.autograd.forward_ad.dual_level():
            y = layer(torch.autograd.forward_ad.make_dual(x, tangent))
            dual = torch.autograd.forward_ad.unpack_dual(y).tangent
        return [dual, torch.func.jvp(layer, (x,), (tangent,))[1],
                torch.func.grad(lambda x: layer(x).square().sum())(x), torch.func.vmap(layer)(torch.stack([x, 2 * x]))]

    with torch.no_grad():
        for our, their in zip(transformed(ours), transformed(theirs)):
            close(our, their)

"""What every attention module must be, whatever its paper says."""

import math
from importlib import import_module

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from reidpipe.attention import cbam, danet, eca, reduced, se
from reidpipe.errors import UserError
from reidpipe.layers.initial import initialise
from reidpipe.layers.placement import PLACES
from reidpipe.layers.resnet import Backbone
from reidpipe.runtime.settings import attentions

NAMES = attentions()
nonlocal_ = import_module("reidpipe.attention.nonlocal")
each_name = pytest.mark.parametrize("name", NAMES)


def module(name: str, channels: int) -> nn.Module:
    built: nn.Module = import_module(f"reidpipe.attention.{name}").Attention(channels)
    initialise(built, torch.Generator().manual_seed(0))
    return built


def scrambled(name: str, channels: int) -> nn.Module:
    """With no parameter left at 0 or 1, so that nothing is an identity by accident."""
    built, generator = module(name, channels), torch.Generator().manual_seed(1)
    for weights in built.parameters():
        nn.init.normal_(weights, mean=0.2, std=0.3, generator=generator)
    return built


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(2))


@each_name
@pytest.mark.parametrize("channels", [64, 128, 512, 2048])
@pytest.mark.parametrize(("height", "width"), [(7, 3), (4, 2), (1, 1)])
def test_shape_is_kept(name: str, channels: int, height: int, width: int) -> None:
    out = module(name, channels)(draw(2, channels, height, width))
    assert out.shape == (2, channels, height, width)
    assert out.isfinite().all()


@each_name
def test_place_is_known(name: str) -> None:
    assert import_module(f"reidpipe.attention.{name}").PLACE in PLACES


@pytest.mark.parametrize("name", ["none", "nonlocal", "danet"])
def test_starts_as_the_identity(name: str) -> None:
    x = draw(3, 64, 5, 3)
    assert torch.equal(module(name, 64)(x), x)


@each_name
def test_permuted_batch_gives_permuted_output(name: str) -> None:
    x, order = draw(4, 64, 5, 3).double(), torch.tensor([2, 0, 3, 1])
    attention = scrambled(name, 64).double()
    torch.testing.assert_close(attention(x[order]), attention(x)[order])


@each_name
def test_images_do_not_see_each_other_in_eval(name: str) -> None:
    x, attention = draw(3, 64, 5, 3), scrambled(name, 64).eval()
    torch.testing.assert_close(attention(x[:1]), attention(x)[:1], rtol=1e-4, atol=1e-5)


@each_name
def test_channels_last_and_bfloat16_agree_with_float32(name: str) -> None:
    x, attention = draw(2, 64, 5, 3), module(name, 64)
    expected = attention(x)
    last = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(attention(last), expected, rtol=1e-4, atol=1e-5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(attention(last).float(), expected, rtol=0.05, atol=0.05)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.1, 3))
def test_gates_are_between_0_and_1(seed: int, size: float) -> None:
    x = size * torch.randn(2, 64, 3, 5, generator=torch.Generator().manual_seed(seed))
    channel_gate, spatial_gate = cbam.ChannelGate(64, 16, bias=True), cbam.SpatialGate(7)
    gates = [se.Attention(64).gate(x), eca.Attention(64).gate(x), channel_gate(x), spatial_gate(x)]
    for gate in gates:
        assert (gate > 0).all()
        assert (gate < 1).all()


@pytest.mark.parametrize(
    "affinity",
    [
        nonlocal_.Attention(64).affinity,
        danet.Position(64, 8).affinity,
        danet.Channel().affinity,
    ],
)
def test_affinities_are_distributions(affinity: nn.Module) -> None:
    rows = affinity(draw(2, 64, 5, 3) * 0.1)
    assert rows.min() > 0
    torch.testing.assert_close(rows.sum(2), torch.ones(rows.shape[:2]))


def test_a_flat_map_gets_the_average_of_its_positions() -> None:
    """Equal positions: the softmax and the division by N must both leave the vector g(x)."""
    x = draw(1, 64, 1, 1).expand(1, 64, 4, 3)
    embedded, dot = nonlocal_.Attention(64), nonlocal_.Attention(64, form="dot")
    torch.testing.assert_close(embedded.affinity(x), torch.full((1, 12, 12), 1 / 12))
    score = embedded.theta(x)[0, :, 0, 0] @ embedded.phi(x)[0, :, 0, 0]
    dot.load_state_dict(embedded.state_dict())
    torch.testing.assert_close(dot.affinity(x), (score / 12).expand(1, 12, 12))


def test_like_channels_weigh_least_in_dual_attention() -> None:
    """Row maximum minus product: a channel attends to those unlike itself."""
    a = torch.eye(3).view(1, 3, 3, 1) * 2
    weights = danet.Channel().affinity(a)[0]
    expected = 1 / (1 + 2 * math.exp(4))
    torch.testing.assert_close(weights.diagonal(), torch.full((3,), expected))


@pytest.mark.parametrize(
    ("channels", "k"), [(64, 3), (128, 5), (256, 5), (512, 5), (1024, 5), (2048, 7)]
)
def test_kernel_of_eca(channels: int, k: int) -> None:
    assert eca.kernel_size(channels) == k


@given(st.integers(1, 4096), st.integers(1, 5), st.integers(0, 5))
def test_kernel_of_eca_is_the_nearest_odd_number(channels: int, gamma: int, b: int) -> None:
    k, exact = eca.kernel_size(channels, gamma=gamma, b=b), (math.log2(channels) + b) / gamma
    assert k % 2 == 1
    assert abs(k - exact) <= 1 + 1e-9


def test_spatial_gate_of_cbam_starts_at_one_half() -> None:
    attention = cbam.Attention(64)
    initialise(attention, torch.Generator().manual_seed(0))
    gate = attention.spatial(draw(2, 64, 5, 3))
    assert torch.equal(gate, torch.full((2, 1, 5, 3), 0.5))


def test_bottleneck_of_nothing_is_refused() -> None:
    assert reduced(64, 16) == 4
    with pytest.raises(UserError, match="reduced to nothing"):
        reduced(64, 65)


@pytest.mark.parametrize("backbone", ["resnet18", "resnet50"])
def test_no_softmax_starts_one_hot(backbone: str) -> None:
    """A saturated softmax learns nothing, and the maps of a backbone are large."""
    network, images = Backbone(backbone), draw(4, 3, 64, 32)
    initialise(network, torch.Generator().manual_seed(0))
    stages = nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool)
    x = network.layer3(network.layer2(network.layer1(stages(images))))
    top = network.layer4(x)
    nonlocal_block, dual = nonlocal_.Attention(x.shape[1]), danet.Attention(top.shape[1])
    for built in (nonlocal_block, dual):
        initialise(built, torch.Generator().manual_seed(0))
    for affinity in (nonlocal_block.affinity(x), dual.position.affinity(top)):
        assert affinity.amax(2).median() < 0.99


def test_channel_products_are_not_rounded_under_autocast() -> None:
    a, channel = 3 * draw(2, 64, 5, 3), danet.Channel()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded_nowhere = channel.affinity(a)
    assert torch.equal(rounded_nowhere, channel.affinity(a))

"""OSNet: the table of its stages, the streams' fields of view, the shared gate."""

import pytest
import torch
from torch import nn

from reidpipe.errors import UserError
from reidpipe.systems import osnet
from reidpipe.systems.osnet import Block, Gate, Trunk
from reidpipe.training.phases import ready
from tests.systems.small import images, network, recipe

STAGES = {
    "conv1": ([9_536], (64, 128, 64)),
    "conv2": ([86_596, 81_988, 66_048], (256, 32, 16)),
    "conv3": ([265_446, 178_662, 148_224], (384, 16, 8)),
    "conv4": ([493_704, 312_456], (512, 16, 8)),
    "conv5": ([263_168], (512, 16, 8)),
    "fc": ([263_680], (512,)),
}
"""Parameters of the parts of each stage, and its output for 256x128, as SYSTEMS.md has them."""


def count(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def test_the_table_of_stages() -> None:
    trunk = Trunk(1.0).eval()
    seen: dict[str, tuple[int, ...]] = {}
    for name in STAGES:
        trunk.get_submodule(name).register_forward_hook(
            lambda _m, _i, out, name=name: seen.__setitem__(name, tuple(out.shape[1:]))
        )
    with torch.no_grad():
        trunk(torch.zeros(1, 3, 256, 128))
    assert seen == {name: shape for name, (_, shape) in STAGES.items()}
    for name, (parameters, _) in STAGES.items():
        stage = trunk.get_submodule(name)
        parts = [stage] if len(parameters) == 1 else list(stage)  # type: ignore[call-overload]
        assert [count(part) for part in parts if count(part)] == parameters, name


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_a_stream_sees_two_more_pixels_a_layer(depth: int) -> None:
    stream = Block(64, 64).streams[depth - 1].eval()
    for name, weight in stream.named_parameters():
        if weight.ndim == 4 or name.endswith("weight"):
            nn.init.ones_(weight)
    impulse = torch.zeros(1, 16, 15, 15)
    impulse[..., 7, 7] = 1
    with torch.no_grad():
        seen = stream(impulse)[0, 0] > 0
    rows = seen.any(1).nonzero().flatten()
    assert rows.tolist() == list(range(7 - depth, 8 + depth))
    assert seen.sum() == (2 * depth + 1) ** 2


def test_the_gate_is_one_for_all_streams() -> None:
    block = Block(64, 64).eval()
    gates = [module for module in block.modules() if isinstance(module, Gate)]
    assert gates == [block.gate]
    calls = []
    block.gate.register_forward_hook(lambda *_: calls.append(1))
    block(torch.randn(2, 64, 4, 4))
    assert len(calls) == 4


def test_a_gate_without_weights_halves() -> None:
    gate = Gate(64)
    for weight in gate.second.parameters():
        nn.init.zeros_(weight)
    x = torch.randn(2, 64, 4, 4)
    assert torch.equal(gate(x), x / 2)


def test_a_block_whose_last_norm_is_zero_is_its_shortcut() -> None:
    for channels in (64, 32):
        block = Block(channels, 64).eval()
        nn.init.zeros_(block.last.get_parameter("1.weight"))
        x = torch.randn(2, channels, 4, 4)
        torch.testing.assert_close(block(x), block.shortcut(x).relu())


def test_streams_are_summed_and_not_averaged() -> None:
    block = Block(64, 64).eval()
    x = torch.randn(2, 64, 4, 4)
    with torch.no_grad():
        first = block.first(x)
        mixed = sum(block.gate(stream(first)) for stream in block.streams)
        expected = (block.last(mixed) + x).relu()
        torch.testing.assert_close(block(x), expected)


def test_the_classifier_learns_alone_at_first() -> None:
    """And batch norms of the trunk do not count what they see."""
    model = network("osnet")
    learnable = {name for name, _ in model.named_parameters()}
    first, whole = recipe("osnet").phases
    ready(model, first, learnable)
    before = {name: value.clone() for name, value in model.backbone.state_dict().items()}
    model(images("osnet"))["scores"].sum().backward()
    assert {n for n, w in model.named_parameters() if w.grad is not None} == {
        "head.weight",
        "head.bias",
    }
    for name, value in model.backbone.state_dict().items():
        assert torch.equal(value, before[name]), name
    ready(model, whole, learnable)
    assert all(weight.requires_grad for weight in model.parameters())
    assert model.backbone.training


def test_the_recipes() -> None:
    first, whole = osnet.recipe().phases
    assert (first.epochs, whole.epochs, whole.decay) == (10, 240, "cosine")
    assert {first.optimiser, whole.optimiser} == {"amsgrad"}
    (scratch,) = osnet.recipe(scratch=True).phases
    assert (scratch.optimiser, scratch.milestones) == ("sgd", (150, 225, 300))
    assert (scratch.lr, scratch.epochs, first.lr) == (0.065, 350, 1.5e-3)
    (_, steps) = osnet.recipe(milestones=(60,), epochs=150).phases
    assert (steps.decay, steps.milestones) == ("steps", (60,))


def test_a_width_without_gates_is_refused() -> None:
    with pytest.raises(UserError, match="too narrow for its gates"):
        network("osnet", multiplier=0.2)

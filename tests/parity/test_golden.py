"""Losses of the first four steps of every row and phase, on random tensors, as they once were.

Rows are those of Table 1, phases those of the other systems.
A difference means that the network, a loss or an initial weight changed: every published number
of this repository would. When that is meant: `pytest tests/parity --regenerate-golden`, and say
why in the commit.
"""

import json
from pathlib import Path

import pytest
import torch

from reidpipe import systems
from reidpipe.files import write_json
from reidpipe.layers.dropout import draw_from
from reidpipe.layers.initial import initialise, torch_stream
from reidpipe.systems.ours import Classifier, Network
from reidpipe.training.phases import ready, set_rate
from tests.systems.small import CLASSES, SIZES, labels, recipe

GOLDEN = Path(__file__).with_name("golden.json")
LABELS = torch.tensor([0, 0, 1, 1, 4, 4])
VARIANTS: dict[str, tuple[str, Classifier, bool]] = {
    "baseline": ("none", "linear", False),
    "tri": ("none", "linear", True),
    "se": ("se", "linear", False),
    "danet": ("danet", "linear", False),
    "nonlocal": ("nonlocal", "linear", False),
    "eca": ("eca", "linear", False),
    "tri-cir": ("none", "circle", True),
    "ours": ("cbam", "circle", True),
}


def losses(attention: str, classifier: Classifier, *, triplet: bool) -> list[float]:
    """Sums of the joint loss before each of four steps of gradient descent."""
    model = Network(
        5, attention=attention, classifier=classifier, triplet=triplet, backbone="resnet18"
    )
    initialise(model, torch_stream("golden", "weights"))
    # In float32 another processor's round-off lets the triplet mine other images: 7 % apart, once.
    model.double()
    # Not Adam: it turns the round-off of a vanishing gradient into a step of full length.
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-3)
    # One batch for all steps: the losses then differ by what the gradients did, not by the images.
    random = torch_stream("golden", "images")
    images = torch.randn(len(LABELS), 3, 48, 24, generator=random).double()
    values = []
    for _ in range(4):
        loss = torch.stack(list(model.losses(model(images), LABELS).values())).sum()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        values.append(loss.item())
    return values


def losses_of_phase(system: str, number: int) -> list[float]:
    """Sums of the loss before each of four steps of a phase's optimiser, one with momentum."""
    model = systems.network(system)(CLASSES, **SIZES[system].network)
    learnable = {name for name, weight in model.named_parameters() if weight.requires_grad}
    initialise(model, torch_stream("golden", "weights"))
    model.double()
    phase = recipe(system).phases[number].model_copy(update={"optimiser": "sgd", "lr": 1e-2})
    model.begin(phase.name)
    optimiser = ready(model, phase, learnable)
    set_rate(optimiser, phase.lr)
    random = torch_stream("golden", "images")
    size = phase.pool.size if phase.pool else 8
    images = torch.randn(size, 3, *recipe(system).image_size, generator=random).double()
    values = []
    for step in range(4):
        draw_from(model, "golden", step)
        loss = torch.stack(list(model.losses(model(images), labels(size)).values())).sum()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        values.append(loss.item())
    return values


PHASES = [
    (system, number)
    for system in SIZES
    if system != "ours"
    for number, phase in enumerate(recipe(system).phases)
    if phase.name not in {other.name for other in recipe(system).phases[:number]}
]
NAMES = [*VARIANTS, *(f"{system} {number}" for system, number in PHASES)]


def check(name: str, got: list[float], *, regenerate: bool) -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8")) if GOLDEN.exists() else {}
    if regenerate:
        write_json(GOLDEN, {known: golden.get(known) for known in NAMES} | {name: got})
    else:
        assert got == pytest.approx(golden[name], rel=1e-4)


@pytest.mark.parametrize("variant", VARIANTS)
def test_first_four_losses(variant: str, *, regenerate: bool) -> None:
    attention, classifier, triplet = VARIANTS[variant]
    check(variant, losses(attention, classifier, triplet=triplet), regenerate=regenerate)


@pytest.mark.parametrize(("system", "number"), PHASES)
def test_first_four_losses_of_a_phase(system: str, number: int, *, regenerate: bool) -> None:
    check(f"{system} {number}", losses_of_phase(system, number), regenerate=regenerate)

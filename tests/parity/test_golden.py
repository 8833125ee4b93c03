"""Losses of the first four steps of each row of Table 1, on random tensors, as they once were.

A difference means that the network, a loss or an initial weight changed: every published number
of this repository would. When that is meant: `pytest tests/parity --regenerate-golden`, and say
why in the commit.
"""

import json
from pathlib import Path

import pytest
import torch

from reidpipe.files import write_json
from reidpipe.layers.initial import initialise, torch_stream
from reidpipe.systems.ours import Classifier, Network

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


@pytest.mark.parametrize("variant", VARIANTS)
def test_first_four_losses(variant: str, *, regenerate: bool) -> None:
    attention, classifier, triplet = VARIANTS[variant]
    got = losses(attention, classifier, triplet=triplet)
    golden = json.loads(GOLDEN.read_text(encoding="utf-8")) if GOLDEN.exists() else {}
    if regenerate:
        write_json(GOLDEN, {name: golden.get(name) for name in VARIANTS} | {variant: got})
    else:
        assert got == pytest.approx(golden[variant], rel=1e-4)

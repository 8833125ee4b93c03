"""The joint loss is equation 5: its two terms, each as its own definition says."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from reidpipe.losses.circle import circle_logits, unified_logits
from reidpipe.losses.triplet import batch_hard
from reidpipe.systems.ours import Classifier, Network

LABELS = torch.tensor([0, 0, 2, 2])


def out() -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(0)
    feature = torch.randn(4, 8, generator=random)
    return {"feature": feature, "scores": torch.randn(4, 5, generator=random).tanh()}


def terms(
    classifier: Classifier = "linear", *, triplet: bool = False, **options: Any
) -> dict[str, Tensor]:
    """Of a network with these losses; what the rest of it is does not matter."""
    model = Network(
        5, attention="none", classifier=classifier, triplet=triplet, backbone="resnet18", **options
    )
    return model.losses(out(), LABELS)


def smoothed_cross_entropy(logits: Tensor, smoothing: float) -> float:
    """Mean over the batch of -sum q_k log p_k, q = (1 - eps) one-hot + eps / C."""
    total = 0.0
    for row, label in zip(logits.tolist(), LABELS.tolist(), strict=True):
        normaliser = math.log(sum(math.exp(z) for z in row))
        for k, z in enumerate(row):
            q = (1 - smoothing) * (k == label) + smoothing / len(row)
            total -= q * (z - normaliser)
    return total / len(LABELS)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_cross_entropy_with_label_smoothing(smoothing: float) -> None:
    found = terms(label_smoothing=smoothing)
    assert list(found) == ["ce"]
    expected = smoothed_cross_entropy(out()["scores"], smoothing)
    assert found["ce"].item() == pytest.approx(expected)


@pytest.mark.parametrize("margin", [0.3, 1.5, "soft"])
def test_triplet_sees_the_features_before_the_neck(margin: Any) -> None:
    found = terms(triplet=True, batch_hard={"margin": margin})
    assert list(found) == ["ce", "triplet"]
    expected = batch_hard(out()["feature"], LABELS, margin=margin)
    assert torch.equal(found["triplet"], expected)
    assert torch.equal(found["ce"], terms()["ce"])


@pytest.mark.parametrize(
    ("classifier", "logits"), [("circle", circle_logits), ("unified", unified_logits)]
)
def test_the_margins_come_between_cosines_and_cross_entropy(
    classifier: Classifier, logits: Any
) -> None:
    options = {"scale": 16.0, "margin": 0.2}
    found = terms(classifier, circle=options)
    margined = logits(out()["scores"], LABELS, **options)
    assert found["ce"].item() == pytest.approx(smoothed_cross_entropy(margined, 0.1), rel=1e-5)
    assert found["ce"].item() != pytest.approx(terms(classifier)["ce"].item())


def test_without_a_triplet_loss_nothing_is_mined() -> None:
    """A batch that has no triplets is no error then."""
    model = Network(5, attention="none", classifier="linear", triplet=False, backbone="resnet18")
    assert list(model.losses(out(), torch.arange(4))) == ["ce"]

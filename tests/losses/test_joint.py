"""The joint loss is equation 5: its two terms, each as its own definition says."""

import math
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from reidpipe.losses.joint import joint_loss
from reidpipe.losses.triplet import batch_hard
from reidpipe.params import TripletParams

LABELS = torch.tensor([0, 0, 2, 2])


class Output(NamedTuple):
    feature: Tensor
    logits: Tensor


def output() -> Output:
    random = torch.Generator().manual_seed(0)
    return Output(torch.randn(4, 8, generator=random), torch.randn(4, 5, generator=random))


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
    parts = joint_loss(output(), LABELS, label_smoothing=smoothing, triplet=None)
    assert list(parts) == ["ce"]
    assert parts["ce"].item() == pytest.approx(smoothed_cross_entropy(output().logits, smoothing))


@pytest.mark.parametrize("margin", [0.3, 1.5, "soft"])
def test_triplet_sees_the_features_before_the_neck(margin: float) -> None:
    params = TripletParams(margin=margin)
    parts = joint_loss(output(), LABELS, label_smoothing=0.1, triplet=params)
    assert list(parts) == ["ce", "triplet"]
    expected = batch_hard(output().feature, LABELS, margin=margin)
    assert torch.equal(parts["triplet"], expected)
    without = joint_loss(output(), LABELS, label_smoothing=0.1, triplet=None)
    assert torch.equal(parts["ce"], without["ce"])

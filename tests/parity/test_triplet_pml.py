"""Batch-hard triplet against pytorch-metric-learning, values and gradients."""

from typing import Literal

import pytest
import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner
from pytorch_metric_learning.reducers import MeanReducer
from torch import Tensor

from reidpipe.losses.triplet import batch_hard
from tests.parity.compare import assert_close, draw


def oracle(feature: Tensor, labels: Tensor, margin: float | Literal["soft"]) -> Tensor:
    distance = LpDistance(normalize_embeddings=False)
    soft = margin == "soft"
    loss = TripletMarginLoss(
        margin=0 if soft else margin,
        smooth_loss=soft,
        distance=distance,
        reducer=MeanReducer(),
    )
    value: Tensor = loss(feature, labels, BatchHardMiner(distance=distance)(feature, labels))
    return value


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("margin", [0.3, 5.0, "soft"])
@pytest.mark.parametrize(("identities", "images"), [(2, 2), (16, 4), (3, 7)])
def test_triplet(
    identities: int, images: int, margin: float | Literal["soft"], dtype: torch.dtype
) -> None:
    labels = torch.arange(identities).repeat_interleave(images)
    ours, theirs = feature(labels, dtype), feature(labels, dtype)
    value, expected = batch_hard(ours, labels, margin=margin), oracle(theirs, labels, margin)
    assert_close(value, expected)
    assert_close(torch.autograd.grad(value, ours)[0], torch.autograd.grad(expected, theirs)[0])


def feature(labels: Tensor, dtype: torch.dtype) -> Tensor:
    centres = draw(int(labels.max()) + 1, 32, dtype=dtype, seed=3)
    spread = draw(len(labels), 32, dtype=dtype, seed=4)
    return (centres[labels] + spread).requires_grad_()

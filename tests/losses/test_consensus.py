"""The consensus of scales, against loops over probabilities."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from reidpipe.losses.consensus import consensus, log_of_others


def scores(seed: int, classes: int = 5) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(4, classes, dtype=torch.float64, generator=random)


def test_it_is_the_binary_cross_entropy_over_classes() -> None:
    total = 0.0
    for row, fused in zip(scores(0).tolist(), scores(1).tolist(), strict=True):
        p, q = ([math.exp(z) / sum(map(math.exp, line)) for z in line] for line in (row, fused))
        for one, other in zip(p, q, strict=True):
            total -= other * math.log(one) + (1 - other) * math.log(1 - one)
    assert consensus(scores(0), scores(1)).item() == pytest.approx(total / 4)


def test_of_two_classes_it_is_twice_the_cross_entropy() -> None:
    own, fused = scores(0, 2), scores(1, 2)
    expected = 2 * F.cross_entropy(own, fused.softmax(1))
    torch.testing.assert_close(consensus(own, fused), expected)


def test_it_pulls_the_scale_and_never_the_fusion() -> None:
    own, fused = scores(0).requires_grad_(), scores(1).requires_grad_()
    torch.autograd.backward(consensus(own, fused))
    assert fused.grad is None
    assert own.grad is not None
    assert own.grad.any()
    agreed = scores(1).requires_grad_()
    torch.autograd.backward(consensus(agreed, fused))
    torch.testing.assert_close(agreed.grad, torch.zeros_like(agreed))


@pytest.mark.parametrize("height", [30.0, 200.0])
def test_a_certain_answer_stays_finite(height: float) -> None:
    sure = torch.tensor([[height, 0.0, -1.0]], requires_grad=True)
    found = log_of_others(sure)
    assert found[0, 0].item() == pytest.approx(math.log(1 + math.exp(-1)) - height, rel=1e-5)
    torch.autograd.backward(consensus(sure, torch.zeros(1, 3)))
    assert sure.grad is not None
    assert sure.grad.isfinite().all()

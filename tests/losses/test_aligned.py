"""The local distance, against all paths one by one."""

import math
from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from reidpipe.losses.aligned import local_distance


def stripes(seed: int, height: int = 4, count: int = 3) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(count, height, 5, dtype=torch.float64, generator=random)


def cheapest(first: Tensor, second: Tensor) -> float:
    """Over every way of H - 1 steps down and H - 1 to the right."""
    height = len(first)
    cells = [
        [(math.exp(x) - 1) / (math.exp(x) + 1) for x in row]
        for row in torch.cdist(first, second).tolist()
    ]
    found = []
    for downs in combinations(range(2 * height - 2), height - 1):
        i = j = 0
        total = cells[0][0]
        for step in range(2 * height - 2):
            i, j = (i + 1, j) if step in downs else (i, j + 1)
            total += cells[i][j]
        found.append(total)
    assert len(found) == math.comb(2 * height - 2, height - 1)
    return min(found)


@given(st.integers(0, 10_000), st.integers(1, 5))
def test_it_is_the_cheapest_path(seed: int, height: int) -> None:
    first, second = stripes(seed, height), stripes(seed + 1, height)
    found = local_distance(first, second)
    expected = [cheapest(*pair) for pair in zip(first, second, strict=True)]
    assert found.tolist() == pytest.approx(expected)
    torch.testing.assert_close(local_distance(second, first), found)
    assert ((found >= 0) & (found < 2 * height - 1)).all()


def test_of_an_image_to_itself_it_is_not_zero() -> None:
    x = stripes(0)
    assert (local_distance(x, x) > 0).all()
    same = x[:, :1].expand(-1, 4, -1)
    torch.testing.assert_close(local_distance(same, same), torch.zeros(3, dtype=torch.float64))


def test_a_body_that_stands_lower_is_nearer_than_stripe_by_stripe() -> None:
    x = stripes(3)
    lower = torch.cat([x[:, :1], x[:, :-1]], dim=1)
    diagonal = (torch.linalg.vector_norm(x - lower, dim=2) / 2).tanh()
    # A path has 2 H - 1 cells, of which the shifted one has H - 1 of zero.
    around = (torch.linalg.vector_norm(x[:, 1:] - x[:, :-1], dim=2) / 2).tanh().sum(1)
    assert (local_distance(x, lower) <= around + 1e-12).all()
    assert (local_distance(x, lower) < diagonal.sum(1) + around).all()


def test_equal_stripes_have_a_finite_gradient_and_unused_cells_none() -> None:
    x = stripes(0).requires_grad_()
    torch.autograd.backward(local_distance(x, x.detach()).sum())
    assert x.grad is not None
    assert x.grad.isfinite().all()
    first = torch.tensor([[[0.0], [10.0]]], dtype=torch.float64)
    second = torch.tensor([[[0.0], [9.0]]], dtype=torch.float64, requires_grad=True)
    torch.autograd.backward(local_distance(first, second))
    assert second.grad is not None
    assert second.grad[0, 1, 0] != 0

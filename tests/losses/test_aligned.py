"""The local distance, against all paths one by one."""

import math
from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
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


@settings(deadline=None)
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
    """Three parts of three stripes: a shift by one costs the path less than the diagonal."""
    parts = stripes(3, 3).repeat_interleave(3, dim=1)
    lower = torch.cat([parts[:, :1], parts[:, :-1]], dim=1)
    diagonal = (torch.linalg.vector_norm(parts - lower, dim=2) / 2).tanh().sum(1)
    shifted = local_distance(parts, lower)
    assert (shifted - local_distance(parts, parts) < diagonal).all()
    assert (shifted < local_distance(parts, parts.flip(1))).all()


def test_equal_stripes_have_a_finite_gradient() -> None:
    x = stripes(0).requires_grad_()
    torch.autograd.backward(local_distance(x, x.detach()).sum())
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_gradients_flow_along_the_path_alone() -> None:
    """Stripes at 0, 1 | 0.1, 50: the way over 0.1 to 1 is cheaper than that over 50 to 0."""
    first = torch.tensor([[[0.0], [1.0]]], dtype=torch.float64)
    second = torch.tensor([[[0.1], [50.0]]], dtype=torch.float64, requires_grad=True)
    whole = local_distance(first, second)
    cells = [(abs(a - b) / 2) for a, b in ((0.0, 0.1), (1.0, 0.1), (1.0, 50.0))]
    assert whole.item() == pytest.approx(sum(map(math.tanh, cells)))
    torch.autograd.backward(whole)
    assert second.grad is not None
    slopes = [1 / math.cosh(cell) ** 2 / 2 for cell in cells]
    expected = [slopes[0] - slopes[1], slopes[2]]
    assert second.grad.flatten().tolist() == pytest.approx(expected)

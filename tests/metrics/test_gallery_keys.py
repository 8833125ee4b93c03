"""Keys against sorting (distance, index) pairs in Python; NumPy's ways and torch's are the same."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from reidpipe.metrics import keys

ROWS, IMAGES = 5, 300


@pytest.fixture(params=["numpy", "torch"], autouse=True)
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU's tensors take the second way."""
    if request.param == "torch":
        monkeypatch.setattr(Tensor, "is_cpu", False)


def distances(levels: int) -> Tensor:
    source = torch.Generator().manual_seed(levels)
    return torch.randint(levels, (ROWS, IMAGES), generator=source) / levels


def by_hand(distance: Tensor, limit: list[float]) -> list[list[tuple[float, int]]]:
    pairs = [[(d, index) for index, d in enumerate(row)] for row in distance.tolist()]
    return [sorted(p for p in row if p[0] <= most) for row, most in zip(pairs, limit, strict=True)]


@pytest.mark.parametrize("levels", [1, 7, 1 << 20])
def test_within_a_limit_in_order(levels: int) -> None:
    distance, limit = distances(levels), [0.0, 0.25, 0.5, 2.0, math.inf]
    found = keys.within(distance, torch.tensor(limit)[:, None])
    start = keys.starts(found, ROWS).tolist()
    rows = [found[a:b] for a, b in pairwise(start)]
    values = [
        list(zip(keys.distance_of(row).tolist(), keys.index_of(row).tolist(), strict=True))
        for row in rows
    ]
    assert values == by_hand(distance, limit)
    assert start[-1] == len(found)


def test_the_first_of_each_row_and_what_is_missing() -> None:
    distance = distances(7)
    distance[2] = 1.0
    limit = torch.tensor([1.0, 1.0, 0.5, 1.0, 1.0])[:, None]
    found = keys.within(distance, limit)
    first = keys.first(found, keys.starts(found, ROWS), 4)
    assert (first[2] == -1).all()
    others = [0, 1, 3, 4]
    expected = [[index for _, index in row[:4]] for row in by_hand(distance, [1.0] * ROWS)]
    assert keys.index_of(first[others]).tolist() == [expected[row] for row in others]


@pytest.mark.parametrize("columns", [IMAGES, IMAGES - 17])
def test_nearest_of_part_of_a_matrix(columns: int) -> None:
    part = distances(7)[:, :columns]
    expected = [[index for _, index in row[:9]] for row in by_hand(part, [math.inf] * ROWS)]
    assert keys.nearest(part, 9).tolist() == expected

"""Ranks of the true matches, and from them CMC, mAP and mINP.

The gallery is ordered by distance, equal distances by gallery index. The rank of a match is found
by counting the images before it, so the gallery is never sorted.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from reidpipe.formats.queries import Floats
from reidpipe.formats.ranking import Ranking
from reidpipe.metrics.keys import ROWS, distance_of, first, index_of, pack, starts, within
from reidpipe.metrics.protocol import Block, Protocol

Indices = npt.NDArray[np.int64]
GROUP = 64


@dataclass(frozen=True)
class Part:
    """Ranks of some consecutive queries."""

    first: int
    """Index of the first query."""
    ranks: Tensor
    """0-based ranks of the matches, ascending for each query."""
    count: Tensor
    """Matches per query."""
    keys: Tensor
    """The k nearest of each query, as `keys` orders them."""


def parts(blocks: Iterable[Block], top_k: int) -> list[Part]:
    """Rank the matches of every query of `blocks`, which come from `protocol.blocks`."""
    return [
        Part(block.first + top, *(part.cpu() for part in _rank_rows(rows, row, column, top_k)))
        for block in blocks
        for top, rows, row, column in _split(block)
    ]


def rank(blocks: Iterable[Block], protocol: Protocol, top_k: int) -> Ranking:
    """The ranking of all queries in one thread; `evaluation.ranked` shares them among several.

    Raises:
        UserError: no query has a true match.
    """
    return collect(parts(blocks, top_k), protocol)


def collect(found: Iterable[Part], protocol: Protocol) -> Ranking:
    """The ranking that `found`, in any order, make up.

    Raises:
        UserError: no query has a true match.
    """
    ordered = sorted(found, key=lambda part: part.first)
    ranks, count, keys = (
        torch.cat([getattr(part, name) for part in ordered]) for name in ("ranks", "count", "keys")
    )
    if not len(ranks):
        raise protocol.no_match()
    valid = count > 0
    top, top_distance = _lists(keys[valid])
    first_match, average_precision, inp = _figures(ranks.numpy(), count[valid].numpy())
    return Ranking(
        query=valid.nonzero()[:, 0].numpy(),
        first_match=first_match,
        average_precision=average_precision,
        inp=inp,
        top=top,
        top_distance=top_distance,
        num_query=len(count),
    )


def cmc(ranking: Ranking, length: int = 50) -> Floats:
    """Cumulative matching characteristic: share of queries whose first match is within rank r."""
    count = np.bincount(np.minimum(ranking.first_match, length), minlength=length + 1)
    return np.cumsum(count[:length]) / len(ranking.query)


def _split(block: Block) -> Iterable[tuple[int, Tensor, Tensor, Tensor]]:
    """ROWS rows at a time: as many as a key can hold, and few enough to stay in the cache."""
    bounds = torch.arange(0, len(block.distance) + ROWS, ROWS, device=block.row.device)
    edges = torch.searchsorted(block.row, bounds).tolist()
    for part, (start, stop) in enumerate(pairwise(edges)):
        top = part * ROWS
        rows = block.distance[top : top + ROWS]
        yield top, rows, block.row[start:stop] - top, block.column[start:stop]


def _rank_rows(
    distance: Tensor, row: Tensor, column: Tensor, top_k: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Ranks of the matches (P, ascending in each row), matches per row (R), nearest keys (R x k).

    Only images as near as the row's hardest match, or as `_reach`, can matter: the others get no
    key.
    """
    match = pack(distance[row, column], row, column).sort().values
    count = torch.bincount(row, minlength=len(distance))
    limit = _reach(distance, top_k)
    last = count.cumsum(0)[count > 0] - 1
    limit[count > 0] = torch.maximum(limit[count > 0], distance_of(match[last])[:, None])
    keys = within(distance, limit)
    start = starts(keys, len(distance))
    return torch.searchsorted(keys, match) - start[row], count, first(keys, start, top_k)


def _reach(distance: Tensor, k: int) -> Tensor:
    """For each row (R x 1) a distance within which its k nearest images are.

    The k-th smallest of the minima of disjoint groups of columns: k images are as near as that, and
    hardly more, for the nearest are seldom in one group. It is several times faster than the exact
    figure.
    """
    rows, images = distance.shape
    groups = images // GROUP
    if groups <= k:
        return distance.topk(min(k, images), dim=1, largest=False).values[:, -1:]
    minima = distance[:, : groups * GROUP].view(rows, GROUP, groups).amin(dim=1)
    return minima.topk(k, dim=1, largest=False).values[:, -1:]


def _lists(keys: Tensor) -> tuple[Indices, npt.NDArray[np.float32]]:
    """Gallery indices and distances of Q x k keys; junk (at infinity) is no part of a list."""
    distance, index = distance_of(keys), index_of(keys)
    missing = (keys < 0) | distance.isinf()
    lists = index.masked_fill(missing, -1), distance.masked_fill(missing, torch.inf)
    return lists[0].numpy(), lists[1].numpy()


def _figures(ranks: Indices, count: Indices) -> tuple[Indices, Floats, Floats]:
    """First rank, average precision and INP of each query from its `count` ascending ranks."""
    start = np.cumsum(count) - count
    found = np.arange(1, len(ranks) + 1) - np.repeat(start, count)
    average_precision = np.add.reduceat(found / (ranks + 1), start) / count
    last = ranks[start + count - 1]
    return ranks[start], average_precision, count / (last + 1)

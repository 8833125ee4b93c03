"""The ranking as the protocol defines it, one query at a time: read this one first.

`ranking` finds the same without sorting the gallery and in blocks of queries; the tests hold every
value of both equal. Source: Zheng et al., Scalable Person Re-identification (the protocol and AP);
Ye et al., https://arxiv.org/abs/2001.04193 (INP).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.integer]


class Ranked(NamedTuple):
    """What the gallery says to one query."""

    order: Integers
    """Gallery indices from the nearest to the farthest, without the junk."""
    first_match: int
    """0-based."""
    average_precision: float
    inp: float


def rank_query(
    distance: NDArray[np.floating],
    pid: int,
    camid: int,
    gallery_pid: Integers,
    gallery_camid: Integers,
) -> Ranked | None:
    """Rank the gallery (three arrays of length G) for one query; None without a true match."""
    own = gallery_pid == pid
    kept = np.flatnonzero(~(own & (gallery_camid == camid)))
    order = kept[np.argsort(distance[kept], kind="stable")]  # ties by gallery index
    ranks = np.flatnonzero(own[order]) + 1
    if not len(ranks):
        return None
    precision = np.arange(1, len(ranks) + 1) / ranks
    return Ranked(order, int(ranks[0]) - 1, float(precision.mean()), len(ranks) / int(ranks[-1]))

"""Who is a true match of whom, and who is junk (the single-query protocol of Market-1501).

Images of the query's identity under the query's own camera are junk: they are taken out of its
list. Images of its identity under other cameras are its true matches. All others are negatives,
distractors among them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from reidpipe.errors import UserError


@dataclass(frozen=True)
class Labels:
    """Identity and camera of the images of one subset: two int64 tensors of length N."""

    pid: Tensor
    camid: Tensor

    def __getitem__(self, rows: slice) -> "Labels":
        return Labels(self.pid[rows], self.camid[rows])


@dataclass(frozen=True)
class Block:
    """Distances of consecutive queries to the whole gallery, junk at infinity."""

    first: int
    """Index of the first query."""
    distance: Tensor
    """R x G, float32, not negative."""
    row: Tensor
    """P, ascending: rows of this block, one entry per pair of query and true match."""
    column: Tensor
    """P: the gallery index of the true match."""


class Protocol:
    """Gallery rows grouped by identity, so that no query x gallery mask is ever made."""

    def __init__(self, query: Labels, gallery: Labels) -> None:
        self.query, self.gallery = query, gallery
        pid, self._order = gallery.pid.sort()
        self._start = torch.searchsorted(pid, query.pid)
        self._count = torch.searchsorted(pid, query.pid, right=True) - self._start

    def blocks(self, distances: Iterable[tuple[int, Tensor]]) -> Iterator[Block]:
        """Set the junk of each (first query, R x G distances) to infinity and name its matches."""
        for first, distance in distances:
            row, column = self._same_identity(first, len(distance))
            junk = self.gallery.camid[column] == self.query.camid[first + row]
            distance[row[junk], column[junk]] = torch.inf
            yield Block(first, distance, row[~junk], column[~junk])

    def _same_identity(self, first: int, rows: int) -> tuple[Tensor, Tensor]:
        """Pairs (row of the block, gallery index) of equal identity, in row order."""
        start, count = (part[first : first + rows] for part in (self._start, self._count))
        row = torch.repeat_interleave(count)
        before = count.cumsum(0) - count
        place = torch.arange(len(row), device=row.device) - before[row] + start[row]
        return row, self._order[place]

    def no_match(self) -> UserError:
        """The error for labels that leave no query a true match."""
        cameras = {*self.query.camid.tolist(), *self.gallery.camid.tolist()}
        return UserError(
            "no query has a true match in the gallery",
            expected="images of a query's identity under another camera than its own",
            found=f"{len(self.query.pid)} queries, {int((self._count > 0).sum())} of them with "
            f"their identity in the gallery, {len(cameras)} camera(s) in all",
            fix="check pid and camid in the split; one camera alone cannot be evaluated",
        )

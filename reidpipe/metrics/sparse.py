"""A sparse matrix by rows, with the one operation that re-ranking needs: take many rows at once."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """Entries of row i: `column` and `value` from `start[i]` up to `start[i + 1]`."""

    start: Indices
    column: Indices
    value: npt.NDArray[np.float64]

    @classmethod
    def of(cls, row: Indices, column: Indices, value: npt.NDArray[np.float64], rows: int) -> Self:
        """From entries in ascending `row` order."""
        return cls(np.searchsorted(row, np.arange(rows + 1)), column, value)

    def take(self, rows: Indices) -> tuple[Indices, Indices]:
        """Entries of all `rows`: (position in `rows`, place in `column` and `value`)."""
        first, count = self.start[rows], self.start[rows + 1] - self.start[rows]
        owner = np.repeat(np.arange(len(rows)), count)
        before = np.cumsum(count) - count
        return owner, np.arange(len(owner)) + (first - before)[owner]

    def transposed(self) -> Self:
        """The same square matrix by columns."""
        row = np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))
        order = np.argsort(self.column, kind="stable")
        return self.of(self.column[order], row[order], self.value[order], len(self.start) - 1)

"""Features from elsewhere, in whichever layout: a matrix, and what says whom each row shows.

docs/foreign.md has the layouts as a table.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from reidpipe.errors import Problems, UserError
from reidpipe.formats.foreign import containers
from reidpipe.formats.foreign.containers import NAMES, Columns

FEATURES = ("features", "feature", "embeddings", "embedding", "feats", "feat")
LABELS = (("pid", "pids"), ("camid", "camids"), ("subset", "subsets"))
_SUBSETS = {"query": "query", "gallery": "gallery", "train": "train", "0": "query", "1": "gallery"}
_MATRIX = 2
"""Dimensions."""


@dataclass(frozen=True)
class Labels:
    """Who each of N rows shows."""

    pid: NDArray[np.int64]
    camid: NDArray[np.int64]
    subset: NDArray[np.str_]
    """query, gallery or train."""


@dataclass(frozen=True)
class Given:
    """N rows, in the order of the file."""

    embedding: Tensor
    """N x D, of any kind of float."""
    names: Sequence[str]
    """N, or none where the file has none."""
    columns: Columns
    """All that is said of the rows."""
    files: tuple[Path, ...]
    """What was read."""

    def called(self, row: int) -> str:
        """What a message calls a row."""
        return self.names[row] if self.names else f"row {row}"

    @property
    def labelled(self) -> bool:
        return all(any(name in self.columns for name in names) for names in LABELS)

    @cached_property
    def labels(self) -> Labels:
        """Looked at only where nobody goes by names.

        Raises:
            UserError: one is missing, has another length, or a value that is none.
        """
        return _labels(self.columns, len(self.embedding), self.files[-1])


def read(path: Path, table: Path | None = None) -> Given:
    """Features with names or labels; these stand in `table`, in the file or in a CSV of its name.

    Raises:
        UserError: a file cannot be read, lacks something, has it twice, or is of unequal lengths.
    """
    columns = containers.arrays(path)
    embedding, beside = _matrix(columns, path), path.with_suffix(".csv")
    found = Given(embedding, _names(columns, len(embedding), path), columns, (path,))
    if table is None and not (found.names or found.labelled) and beside.is_file():
        table = beside
    if table is not None:
        columns = containers.table(table)
        found = Given(embedding, _names(columns, len(embedding), table), columns, (path, table))
    if not (found.names or found.labelled):
        raise UserError(
            "nothing says whom the rows show",
            where=found.files[-1],
            expected=f"names, or pid, camid and subset, in the file or in {beside.name}",
            found=", ".join(found.columns),
            fix="docs/foreign.md has the layouts; --names FILE names a list of names",
        )
    return found


def _matrix(columns: Columns, path: Path) -> Tensor:
    """The one of a known name, else the only one that can be it."""
    numbers = {name: column for name, column in columns.items() if isinstance(column, Tensor)}
    known = {name: numbers[name] for name in FEATURES if name in numbers}
    fit = {
        name: column
        for name, column in (known or numbers).items()
        if column.dim() == _MATRIX and column.is_floating_point() and column.numel()
    }
    if len(fit) != 1 or len(known) > 1:
        shapes = (f"{n}: {str(t.dtype)[6:]} {list(t.shape)}" for n, t in numbers.items())
        raise UserError(
            "there is not exactly one matrix of features",
            where=path,
            expected=f"floats, images x numbers, under one of {', '.join(FEATURES)}",
            found="; ".join(shapes) or "no numbers",
        )
    return fit.popitem()[1]


def _column(columns: Columns, names: Sequence[str], where: Path) -> Tensor | list[str] | None:
    found = [name for name in names if name in columns]
    if len(found) > 1:
        raise UserError(f"{found[0]} and {found[1]} are both there", where=where, fix="leave one")
    return columns[found[0]] if found else None


def _names(columns: Columns, rows: int, where: Path) -> list[str]:
    found = _column(columns, NAMES, where)
    if isinstance(found, Tensor):
        raise UserError("the names are numbers", where=where, expected="texts", found=found.dtype)
    return [] if found is None else _texts(found, "names", rows, where)


def _labels(columns: Columns, rows: int, where: Path) -> Labels:
    found = [_column(columns, names, where) for names in LABELS]
    if missing := [names[0] for names, column in zip(LABELS, found, strict=True) if column is None]:
        raise UserError("labels are missing", where=where, expected=", ".join(missing))
    pid, camid, subset = (
        _texts(column, names[0], rows, where)
        for names, column in zip(LABELS, found, strict=True)
        if column is not None
    )
    return Labels(
        _integers(pid, "pid", where), _integers(camid, "camid", where), _subsets(subset, where)
    )


def _texts(column: Tensor | list[str], what: str, rows: int, where: Path) -> list[str]:
    """One for each of `rows`; of numbers too, which a CSV has as texts."""
    values = column.reshape(-1).tolist() if isinstance(column, Tensor) else column
    if len(values) != rows:
        raise UserError(
            f"there are not as many {what} as rows of features",
            where=where,
            expected=rows,
            found=len(values),
        )
    return [str(value) for value in values]


def _integers(texts: list[str], what: str, where: Path) -> NDArray[np.int64]:
    try:
        return np.array([int(text) for text in texts], np.int64)
    except (ValueError, OverflowError) as error:
        raise UserError(f"a {what} is no whole number", where=where, found=error) from None


def _subsets(texts: list[str], where: Path) -> NDArray[np.str_]:
    problems = Problems()
    for row, text in enumerate(texts):
        if text not in _SUBSETS:
            problems.add(
                "subsets other than query (0), gallery (1) and train", f"row {row}: {text}"
            )
    problems.refuse(where, fix="name them so", what="the file")
    return np.array([_SUBSETS[text] for text in texts], np.str_)

"""What each query of a run scored: `reports/queries/RUN.csv`, small enough for git.

Every metric of retrieval is a mean over queries, so this is all that two runs need to be compared
query by query, in any clone. Average precision and INP have six decimals: a mean of them is good to
a ten-thousandth of a percentage point.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reidpipe.errors import UserError
from reidpipe.files import write_csv

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RANKS = (1, 5, 10, 20)
METRICS = (*(f"rank{k}" for k in RANKS), "mAP", "mINP")
SCORES = ("ap", "inp", "first")
HEADER = ("query", *SCORES)
FOLDER = Path("reports/queries")


@dataclass(frozen=True)
class Queries:
    """Scores of the Q queries that have a true match."""

    query: Ints
    """Q, ascending: rows among the queries of the manifest."""
    average_precision: Floats
    """Q, in 0..1."""
    inp: Floats
    """Q, in 0..1: the inverse negative penalty, whose mean is mINP."""
    first_match: Ints
    """Q, rank of the first true match, from 1."""

    def percent(self) -> dict[str, Floats]:
        """Q values in percent per metric, whose means are the metrics."""
        hits: dict[str, Floats] = {
            f"rank{k}": (self.first_match <= k) * np.float64(100) for k in RANKS
        }
        return hits | {"mAP": 100 * self.average_precision, "mINP": 100 * self.inp}

    def matrix(self) -> Floats:
        """Q x METRICS, in percent."""
        return np.stack([self.percent()[name] for name in METRICS], axis=1)

    def columns(self) -> list[list[str]]:
        """The columns SCORES, as they are written."""
        decimals = [[f"{value:.6f}" for value in part] for part in self._fractions()]
        return [*decimals, [str(rank) for rank in self.first_match.tolist()]]

    def _fractions(self) -> tuple[list[float], list[float]]:
        return self.average_precision.tolist(), self.inp.tolist()


def write(path: Path, queries: Queries) -> None:
    """Write a line per query."""
    write_csv(path, HEADER, zip(queries.query.tolist(), *queries.columns(), strict=True))


def parse(content: bytes, where: object) -> Queries:
    """What `write` wrote.

    Raises:
        UserError: it is something else.
    """
    try:
        rows = table(content.decode(), HEADER)
        return of_columns(rows, "")
    except (ValueError, KeyError, csv.Error) as error:
        raise UserError(
            "not a table of scores per query",
            where=where,
            expected=f"the columns {', '.join(HEADER)}",
            found=error,
            fix="dvc repro evaluate writes it again",
        ) from None


def table(text: str, header: Sequence[str]) -> dict[str, list[str]]:
    """Columns of a CSV by name.

    Raises:
        ValueError: it has other columns, none, or lines of other lengths.
    """
    found, *rows = list(csv.reader(io.StringIO(text))) or [[]]
    if found != list(header) or not rows or any(len(row) != len(header) for row in rows):
        raise ValueError(f"{len(rows)} lines below {','.join(found)!r}")
    return dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))


def of_columns(columns: Mapping[str, Sequence[str]], suffix: str) -> Queries:
    """The scores in the columns SCORES with `suffix`.

    Raises:
        ValueError: a score is no number, or out of its range.
    """
    ap, inp = (np.array(columns[f"{name}{suffix}"], np.float64) for name in SCORES[:2])
    query, first = (np.array(columns[n], np.int64) for n in ("query", f"first{suffix}"))
    if not all(np.all((part >= 0) & (part <= 1)) for part in (ap, inp)) or (first < 1).any():
        raise ValueError("a score that is not in 0..1, or a rank below 1")
    if (np.diff(query) <= 0).any():
        raise ValueError("queries that do not ascend")
    return Queries(query, ap, inp, first)

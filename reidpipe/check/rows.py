"""One verdict, and all of them together with an exit status."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

Verdict = Literal["ok", "undecided", "regression", "incomparable"]
STATUS = {"ok": 0, "undecided": 0, "regression": 1, "incomparable": 2}

_RESULTS = PurePosixPath("reports/metrics")


@dataclass(frozen=True)
class Row:
    """One figure and the verdict on it; without a metric it is about the whole file."""

    file: str
    verdict: Verdict
    reason: str = ""
    metric: str = ""
    old: float | None = None
    new: float | None = None
    low: float | None = None
    """Bounds of new - old in percentage points, where the rankings of both sides are at hand."""
    high: float | None = None

    @property
    def name(self) -> str:
        return name_of(self.file)


def is_run(file: str) -> bool:
    """Whether a file holds the metrics of a run."""
    return PurePosixPath(file).parent == _RESULTS


def name_of(file: str) -> str:
    """The run whose metrics a file holds, or the file where it is none of a run."""
    return PurePosixPath(file).stem if is_run(file) else file


@dataclass(frozen=True)
class Outcome:
    """Everything that `reidpipe check` found."""

    against: str
    rows: tuple[Row, ...]

    @property
    def verdict(self) -> Verdict:
        """A regression is certain, whatever else could not be compared."""
        found = {row.verdict for row in self.rows}
        order: tuple[Verdict, ...] = ("regression", "incomparable", "undecided")
        return next((verdict for verdict in order if verdict in found), "ok")

    @property
    def status(self) -> int:
        return STATUS[self.verdict]

    def of(self, verdict: Verdict) -> list[Row]:
        return [row for row in self.rows if row.verdict == verdict]

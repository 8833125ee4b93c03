"""One verdict, and all of them together with an exit status."""

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

Verdict = Literal[
    "ok", "new", "removed", "accepted", "undecided", "regression", "incomparable", "not evaluated"
]
STATUS = {
    "ok": 0,
    "new": 0,
    "not evaluated": 0,
    "removed": 0,
    "accepted": 0,
    "undecided": 0,
    "regression": 1,
    "incomparable": 2,
}
_WORST_FIRST: tuple[Verdict, ...] = ("regression", "incomparable", "undecided")

RESULTS = PurePosixPath("reports/metrics")


@dataclass(frozen=True)
class Row:
    """One metric and the verdict on it; without a metric it is about the whole file."""

    file: str
    verdict: Verdict
    reason: str = ""
    metric: str = ""
    old: float | None = None
    new: float | None = None
    low: float | None = None
    """Bounds of new - old in percentage points, where something is known of chance."""
    high: float | None = None

    @property
    def name(self) -> str:
        return name_of(self.file)


def is_run(file: str) -> bool:
    """Whether a file holds the metrics of a run."""
    return PurePosixPath(file).parent == RESULTS


def name_of(file: str) -> str:
    """The run whose metrics a file holds, or the file where it is none of a run."""
    return PurePosixPath(file).stem if is_run(file) else file


@dataclass(frozen=True)
class Outcome:
    """Everything that `reidpipe check` found."""

    against: str
    rows: tuple[Row, ...]
    visible: dict[str, float] = field(default_factory=dict)
    """mAP that a run may lose before nine of ten such losses are a regression, by run."""
    unknown: tuple[str, ...] = ()
    """Runs of whose training noise nothing is known."""
    reproduced: str = ""
    """One line on whether this machine made the committed bytes."""

    @property
    def verdict(self) -> Verdict:
        """A regression is certain, whatever else could not be compared."""
        found = {row.verdict for row in self.rows}
        return next((verdict for verdict in _WORST_FIRST if verdict in found), "ok")

    @property
    def status(self) -> int:
        return STATUS[self.verdict]

    def of(self, verdict: Verdict) -> list[Row]:
        return [row for row in self.rows if row.verdict == verdict]

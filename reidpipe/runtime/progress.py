"""How far a stage has come: a bar on a terminal, lines elsewhere, nothing in any output file."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Protocol

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

SECONDS_BETWEEN_LINES = 20.0
Values = Mapping[str, float]
NONE: Values = {}


class Report(Protocol):
    """Told what is done, of how much where that has changed, and the values to show beside it."""

    def __call__(self, done: int, total: int | None = None, values: Values = NONE) -> None: ...


@contextmanager
def progress(label: str, total: int | None = None, *, quiet: bool = False) -> Iterator[Report]:
    """A bar with the time left on a terminal; elsewhere a line every 20 seconds, and the last."""
    if quiet:
        yield lambda done, total=None, values=NONE: None  # noqa: ARG005
    elif sys.stderr.isatty():
        yield from _bar(label, total)
    else:
        yield from _lines(label, total)


def _bar(label: str, total: int | None) -> Iterator[Report]:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeRemainingColumn(), TextColumn("{task.fields[values]}")) as bar:
        task = bar.add_task(label, total=total, values="")
        pace = _Pace()

        def report(done: int, total: int | None = None, values: Values = NONE) -> None:
            bar.update(task, completed=done, total=total, values=f"{pace(done)} {_text(values)}")

        yield report


def _lines(label: str, whole: int | None) -> Iterator[Report]:
    last = time.monotonic()
    pace = _Pace()

    def report(done: int, total: int | None = None, values: Values = NONE) -> None:
        nonlocal last
        end = whole if total is None else total
        speed = pace(done)
        if done == end or time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            line = f"{label} {done}/{end or '?'} {speed}{pace.left(done, end)} {_text(values)}"
            print(line.rstrip(), file=sys.stderr, flush=True)

    yield report


class _Pace:
    """Items per second since the first report, which may be far on where a run was resumed."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._first: int | None = None
        self._rate = 0.0

    def __call__(self, done: int) -> str:
        if self._first is None:
            self._first, self._start = done, time.monotonic()
            return ""
        seconds = time.monotonic() - self._start
        self._rate = (done - self._first) / seconds if seconds > 0 else 0.0
        return f"{self._rate:.3g}/s"

    def left(self, done: int, end: int | None) -> str:
        """Time to go at this pace, where it is known."""
        if not end or done >= end or self._rate <= 0:
            return ""
        return f", {timedelta(seconds=round((end - done) / self._rate))} left"


def _text(values: Values) -> str:
    return " ".join(f"{name} {value:.4g}" for name, value in values.items())

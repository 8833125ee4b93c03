"""How far a stage has come: a bar on a terminal, lines elsewhere, nothing in any output file."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

SECONDS_BETWEEN_LINES = 20.0
Figures = Mapping[str, float]
NONE: Figures = {}


class Report(Protocol):
    """Told what is done, of how much where that has changed, and the figures to show beside it."""

    def __call__(self, done: int, total: int | None = None, figures: Figures = NONE) -> None: ...


@contextmanager
def progress(label: str, total: int | None = None, *, quiet: bool = False) -> Iterator[Report]:
    """A bar with the time left on a terminal; elsewhere a line every 20 seconds, and the last."""
    if quiet:
        yield lambda done, total=None, figures=NONE: None  # noqa: ARG005
    elif sys.stderr.isatty():
        yield from _bar(label, total)
    else:
        yield from _lines(label, total)


def _bar(label: str, total: int | None) -> Iterator[Report]:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeRemainingColumn(), TextColumn("{task.fields[figures]}")) as bar:
        task = bar.add_task(label, total=total, figures="")

        def report(done: int, total: int | None = None, figures: Figures = NONE) -> None:
            bar.update(task, completed=done, total=total, figures=_text(figures))

        yield report


def _lines(label: str, whole: int | None) -> Iterator[Report]:
    last = time.monotonic()

    def report(done: int, total: int | None = None, figures: Figures = NONE) -> None:
        nonlocal last
        end = whole if total is None else total
        if done == end or time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            print(
                f"{label} {done}/{end or '?'} {_text(figures)}".rstrip(),
                file=sys.stderr,
                flush=True,
            )

    yield report


def _text(figures: Figures) -> str:
    return " ".join(f"{name} {value:.4g}" for name, value in figures.items())

"""What one sees of tasks that run: a line each on a terminal, and what happened elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from reidpipe.commands.spread.cluster import Event
from reidpipe.commands.spread.job import PLACE

LOGS = PLACE / "logs"


class Screen:
    """Takes events; writes a log per task; knows how far all of them are."""

    def __init__(self, total: int, live: Live | None) -> None:
        self._total, self._live = total, live
        self._began: dict[str, float] = {}
        self._last: dict[str, str] = {}
        self._logs: dict[str, TextIO] = {}
        self._took: list[float] = []
        self.failed: dict[str, str] = {}

    def take(self, event: Event) -> None:
        """Show and keep what has happened."""
        name, text = event.name, event.text
        if event.kind == "began":
            self._began[name] = time.monotonic()
            self._log(name)
            self._say(f"{name}: began on {text}")
        elif event.kind == "said":
            self._last[name] = text
            print(text, file=self._log(name), flush=True)
        else:
            took = time.monotonic() - self._began.pop(name, time.monotonic())
            self._last.pop(name, None)
            if log := self._logs.pop(name, None):
                log.close()
            if event.kind == "ended":
                self._took.append(took)
                self._say(f"{name}: ended after {_span(took)}; {self.state()}")
            else:
                self.failed[name] = text
                where = f", see {log_of(name)}" if event.kind == "failed" else ""
                self._say(f"{name}: {event.kind}, {text}{where}")
        if self._live:
            self._live.update(self._table())

    def state(self) -> str:
        """How many have ended and, roughly, how long the others will take."""
        ended = len(self._took) + len(self.failed)
        if not self._took or ended == self._total:
            return f"{ended} of {self._total}"
        mean = sum(self._took) / len(self._took)
        left = (self._total - ended) * mean / max(1, len(self._began))
        return f"{ended} of {self._total}, about {_span(left)} to go"

    def _log(self, name: str) -> TextIO:
        if name not in self._logs:
            path = log_of(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._logs[name] = path.open("a", encoding="utf-8")
        return self._logs[name]

    def _say(self, text: str) -> None:
        if self._live:
            self._live.console.print(Text(text))
        else:
            print(text, flush=True)  # noqa: T201

    def _table(self) -> Table:
        table = Table(box=None, show_header=False, title=self.state(), title_justify="left")
        for name, began in self._began.items():
            last = Text(self._last.get(name, ""), no_wrap=True, overflow="ellipsis")
            table.add_row(Text(name), _span(time.monotonic() - began), last)
        return table


@contextmanager
def screen(total: int) -> Iterator[Screen]:
    """One for `total` tasks, drawn anew with each event on a terminal."""
    if not sys.stdout.isatty():
        yield Screen(total, None)
        return
    with Live(console=Console(), refresh_per_second=4) as live:
        yield Screen(total, live)


def log_of(name: str) -> Path:
    """The file of all that a task has said, in all attempts."""
    return LOGS / f"{name.replace('/', '_').replace(': ', '/')}.log"


def _span(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))

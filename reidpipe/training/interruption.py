"""Ctrl-C and SIGTERM during training: finish the step, save, say how to go on, exit non-zero."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_EXIT_BY_SIGNAL = 128


class Stop:
    """Which signal asked the training to stop, if any."""

    signal: int | None = None

    def leave(self) -> None:
        """Exit like a process that a signal ended: after a 0, DVC would cache the output."""
        if self.signal is not None:
            name = signal.Signals(self.signal).name
            message = f"{name}: the state is saved; the same command goes on from here"
            print(message, file=sys.stderr)  # noqa: T201
            raise SystemExit(_EXIT_BY_SIGNAL + self.signal)


@contextmanager
def noticed() -> Iterator[Stop]:
    """Note SIGINT and SIGTERM instead of dying in the middle of a step; a second one does kill."""
    stop = Stop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, _frame: FrameType | None) -> None:
        stop.signal = number
        signal.signal(number, signal.SIG_DFL)

    for number in before:
        signal.signal(number, note)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Ctrl-C and SIGTERM during training: finish the step, save, say how to go on, exit non-zero."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import torch

from reidpipe.runtime import ranks

_EXIT_BY_SIGNAL = 128


class Stop:
    """Which signal asked the training to stop, if any."""

    signal: int | None = None

    def noticed_by_any(self, device: torch.device) -> bool:
        """Whether a signal reached any rank: they stop after the same step, or would wait."""
        return ranks.anywhere(self.signal is not None, device)

    def leave(self, device: torch.device) -> NoReturn:
        """Exit like a process that a signal ended: after a 0, DVC would cache the output."""
        # A rank that ends has Fabric kill the others, and one of them is still saving.
        ranks.meet(device)
        number = self.signal or signal.SIGTERM
        if ranks.rank() == 0:
            name = signal.Signals(number).name
            message = f"{name}: the state is saved; the same command goes on from here"
            print(message, file=sys.stderr)  # noqa: T201
        raise SystemExit(_EXIT_BY_SIGNAL + number)


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

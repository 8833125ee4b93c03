"""The machine under a stage: device, threads, random streams, progress."""

import hashlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from reidpipe.errors import UserError

SECONDS_BETWEEN_LINES = 20.0


def prepare(device: str, threads: int | None) -> torch.device:
    """Choose the device, fix the threads (they change float sums), demand deterministic kernels.

    Raises:
        UserError: `device` is none of auto, cpu, cuda, cuda:N, or not on this machine.
    """
    # cuBLAS is only deterministic with a fixed workspace, read when it starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(mode=True)
    torch.backends.cudnn.benchmark = False
    if threads is not None:
        torch.set_num_threads(threads)
    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    found = ["cpu"] + [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if chosen not in found and not (chosen == "cuda" and len(found) > 1):
        raise UserError(
            "no such device",
            where="params.yaml: device",
            expected=f"auto or one of {', '.join(found)}",
            found=device,
            fix="-S PROFILE.train.device=auto takes a GPU where there is one",
        )
    return torch.device(chosen)


def stream(*key: int | str) -> np.random.Generator:
    """A random stream of its own for each `key`, equal on every machine and in every process.

    No draw comes from a global stream: the key (seed, purpose, epoch, index) alone decides it.
    """
    text = "/".join(str(part) for part in key)
    words = np.frombuffer(hashlib.sha256(text.encode()).digest(), dtype="<u8")
    return np.random.Generator(np.random.Philox(key=words[:2]))


def torch_stream(*key: int | str) -> torch.Generator:
    """The same idea as a torch generator, for weights."""
    return torch.Generator().manual_seed(int(stream(*key).integers(2**63)))


class Report(Protocol):
    """Called with the number of steps done and the figures to show beside them."""

    def __call__(self, done: int, **figures: str | float) -> None: ...


@contextmanager
def progress(label: str, total: int) -> Iterator[Report]:
    """A bar with the time left on a terminal; elsewhere a line every 20 seconds, and the last."""
    if sys.stderr.isatty():
        yield from _bar(label, total)
    else:
        yield from _lines(label, total)


def _bar(label: str, total: int) -> Iterator[Report]:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeRemainingColumn(), TextColumn("{task.fields[figures]}")) as bar:
        task = bar.add_task(label, total=total, figures="")

        def report(done: int, **figures: str | float) -> None:
            bar.update(task, completed=done, figures=_text(figures))

        yield report


def _lines(label: str, total: int) -> Iterator[Report]:
    last = time.monotonic()

    def report(done: int, **figures: str | float) -> None:
        nonlocal last
        if done == total or time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            print(f"{label} {done}/{total} {_text(figures)}", file=sys.stderr, flush=True)

    yield report


def _text(figures: dict[str, str | float]) -> str:
    shown = {k: v if isinstance(v, str) else f"{v:.4g}" for k, v in figures.items()}
    return " ".join(f"{name} {value}" for name, value in shown.items())

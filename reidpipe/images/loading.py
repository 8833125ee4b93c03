"""Batches made ahead of the network, by worker processes where the parameters give some."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from reidpipe.errors import UserError

T = TypeVar("T")
AHEAD = 2
"""Batches that a worker has ready or on the way."""
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - where Linux keeps it
_FIX = "lower loading.workers (each has two batches ready; no result depends on them), run it again"


@contextmanager
def ahead(
    batches: Dataset[T], order: Sequence[int], *, workers: int, device: torch.device
) -> Iterator[Iterator[T]]:
    """The batches numbered `order`; for a GPU in memory that it can fetch from by itself.

    Raises:
        UserError, OSError: the data set raises it, here or in a worker.
        UserError: a worker was killed, which torch tells at any time within the block; or the
            workers' batches do not fit into memory.
    """
    loader = DataLoader(
        _Answers(batches),
        batch_size=None,  # the data set serves whole batches, and they stay as they are
        collate_fn=_unchanged,
        sampler=order,
        num_workers=workers,
        prefetch_factor=AHEAD if workers else None,
        worker_init_fn=_apart,
        generator=torch.Generator(),  # the loader draws a seed; not from the global stream
        pin_memory=device.type == "cuda",
    )
    try:
        yield map(_batch, loader)
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker (pid"):
            raise
        raise UserError(
            "a process that reads images has ended",
            expected=f"{workers} of them until the last batch",
            found=str(error).split(". ")[0],
            fix=f"if the machine's memory was full, {_FIX}",
        ) from None


class _Answers(Dataset[T | UserError | OSError]):
    """Batches, or the error of one: torch would raise another, with a traceback in its text."""

    def __init__(self, batches: Dataset[T]) -> None:
        self.batches = batches

    def __getitem__(self, number: int) -> T | UserError | OSError:
        try:
            batch = self.batches[number]
            if get_worker_info():
                _share(batch)
        except (UserError, OSError) as error:
            return error
        return batch


def _share(batch: object) -> None:
    """Put a batch's tensors where the parent reads them.

    torch would, but in a thread whose errors nobody hears: with the memory full, the parent would
    wait for ever.
    """
    parts = batch if isinstance(batch, tuple) else (batch,)
    try:
        for tensor in parts:
            if isinstance(tensor, Tensor):
                tensor.share_memory_()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise UserError(
            "no room for the batches of the workers",
            where=SHARED_MEMORY,
            found=str(error).splitlines()[0],
            fix=f"enlarge it (docker run --shm-size=4g), or {_FIX}",
        ) from None


def _batch(answer: T | UserError | OSError) -> T:
    if isinstance(answer, UserError | OSError):
        raise answer
    return answer


def _unchanged(answer: T) -> T:
    return answer


def _apart(_worker: int) -> None:
    """Ctrl-C reaches a whole group of processes: the one that trains shall end the others."""
    os.setpgid(0, 0)

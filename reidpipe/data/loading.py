"""Batches made ahead of the network, by worker processes where the parameters give some."""

import os
from collections.abc import Iterator, Sequence
from typing import TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

T_co = TypeVar("T_co", covariant=True)


def ahead(
    batches: Dataset[T_co], order: Sequence[int], *, workers: int, device: torch.device
) -> Iterator[T_co]:
    """The batches numbered `order`; for a GPU in memory that it can fetch from by itself."""
    loader = DataLoader(
        batches,
        batch_size=None,  # the data set serves whole batches
        sampler=order,
        num_workers=workers,
        worker_init_fn=_apart,
        generator=torch.Generator(),  # the loader draws a seed; not from the global stream
        pin_memory=device.type == "cuda",
    )
    return iter(loader)


def _apart(_worker: int) -> None:
    """Ctrl-C reaches a whole group of processes: the one that trains shall end the others."""
    os.setpgid(0, 0)

"""Blocks of queries shared among threads, each of which computes its blocks alone.

Two threads in one product, one sort, one count wait for each other after every step; two threads
with a block each never do. And a product by one thread is the same product on any machine of that
kind, however many cores it has.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import TypeVar

import torch

T = TypeVar("T")


def over_blocks(work: Callable[[Iterator[int]], list[T]], firsts: range, at_a_time: int) -> list[T]:
    """All results of `work`, in no fixed order.

    Each of at most `at_a_time` threads calls `work` once, with an iterator that hands it the first
    query of its next block until none is left in `firsts`. More threads (torch.get_num_threads)
    than that join within the blocks.
    """
    threads = torch.get_num_threads()
    workers = max(1, min(threads, at_a_time, len(firsts)))
    waiting: SimpleQueue[int] = SimpleQueue()
    for first in firsts:
        waiting.put(first)

    def taken() -> Iterator[int]:
        with suppress(Empty):
            while True:
                yield waiting.get_nowait()

    with _threads_each(threads // workers), ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(work, taken()) for _ in range(workers)]
        return [result for future in futures for result in future.result()]


@contextmanager
def _threads_each(count: int) -> Iterator[None]:
    """Threads of torch within one operation; it is a setting of the whole process."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)

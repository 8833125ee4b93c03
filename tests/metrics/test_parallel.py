"""Sharing blocks among threads: each block once, torch's threads as they were."""

from collections.abc import Iterator
from threading import Barrier, get_ident

import pytest
import torch

from reidpipe.metrics.parallel import over_blocks


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_each_block_is_done_once(threads: int) -> None:
    torch.set_num_threads(threads)
    found = over_blocks(list, range(0, 1000, 3), at_a_time=4)
    assert sorted(found) == list(range(0, 1000, 3))


@pytest.mark.parametrize(
    ("threads", "at_a_time", "blocks", "workers"),
    [(4, 9, 99, 4), (4, 2, 99, 2), (4, 9, 3, 3), (1, 9, 9, 1), (5, 1, 9, 1)],
)
def test_workers_and_the_threads_left_for_each(
    threads: int, at_a_time: int, blocks: int, workers: int
) -> None:
    torch.set_num_threads(threads)
    everyone = Barrier(workers, timeout=60)

    def work(firsts: Iterator[int]) -> list[tuple[int, int]]:
        everyone.wait()
        list(firsts)
        return [(get_ident(), torch.get_num_threads())]

    found = over_blocks(work, range(blocks), at_a_time)
    assert len({thread for thread, _ in found}) == workers
    assert {inner for _, inner in found} == {threads // workers}


def test_an_error_in_a_thread_comes_out_and_leaves_the_threads() -> None:
    torch.set_num_threads(3)

    def work(firsts: Iterator[int]) -> list[int]:
        return [1 // next(firsts)]

    with pytest.raises(ZeroDivisionError):
        over_blocks(work, range(2), at_a_time=2)
    assert torch.get_num_threads() == 3

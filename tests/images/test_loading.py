"""Batches from worker processes: what goes wrong there is told here, at once and in one message."""

import errno
import os
import re
import signal
import time

import pytest
import torch
from torch import Tensor
from torch.utils.data import Dataset

from reidpipe.errors import UserError
from reidpipe.images.loading import ahead

CPU = torch.device("cpu")


class Numbers(Dataset[Tensor]):
    """Batches that are their number; at 3, whatever `trouble` does."""

    def __getitem__(self, number: int) -> Tensor:
        if number == 3:
            self.trouble()
        return torch.full((2, 3), number)

    def trouble(self) -> None:
        """Nothing by itself."""


class Damaged(Numbers):
    def trouble(self) -> None:
        raise UserError("a batch is damaged", where="a.zip", found="two\nlines", fix="mend it")


class Broken(Numbers):
    def trouble(self) -> None:
        raise OSError(errno.EIO, "Input/output error", "a.zip")


class Mistaken(Numbers):
    def trouble(self) -> None:
        raise KeyError("our mistake")


class Killed(Numbers):
    def trouble(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def served(batches: Dataset[Tensor], workers: int) -> list[int]:
    with ahead(batches, range(2, 12), workers=workers, device=CPU) as found:
        return [int(batch[0, 0]) for batch in found]


def failure(batches: Dataset[Tensor], workers: int) -> Exception:
    """What `served` raises.

    Without its traceback, whose frames would keep the workers until Python looks for cycles in
    some later test: that test would wait five seconds for each.
    """
    try:
        served(batches, workers)
    except Exception as error:  # noqa: BLE001
        return error.with_traceback(None)
    raise AssertionError


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_batches_come_in_the_order_asked_for(workers: int) -> None:
    assert served(Numbers(), workers) == list(range(2, 12))


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_for_the_user_arrives_as_it_was_raised(workers: int) -> None:
    error = failure(Damaged(), workers)
    assert isinstance(error, UserError)
    assert str(error).splitlines() == [
        "a batch is damaged",
        "  where:    a.zip",
        "  found:    two",
        "            lines",
        "  fix:      mend it",
    ]


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_of_the_system_keeps_its_number_and_its_file(workers: int) -> None:
    error = failure(Broken(), workers)
    assert isinstance(error, OSError)
    assert (error.errno, error.strerror, error.filename) == (
        errno.EIO,
        "Input/output error",
        "a.zip",
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_our_mistakes_keep_their_kind(workers: int) -> None:
    error = failure(Mistaken(), workers)
    assert isinstance(error, KeyError)
    assert "our mistake" in str(error)


def test_a_killed_worker_is_said_also_while_the_network_computes() -> None:
    def slowly() -> None:
        with ahead(Killed(), range(12), workers=2, device=CPU) as batches:
            next(batches)
            time.sleep(30)  # a step of the network: torch tells of the death in here

    with pytest.raises(
        UserError, match=r"(?s)reads images has ended.*Killed.*lower loading.workers"
    ):
        slowly()


def test_an_error_of_the_step_is_its_own() -> None:
    with (
        pytest.raises(RuntimeError, match="shapes"),
        ahead(Numbers(), range(12), workers=2, device=CPU) as batches,
    ):
        raise RuntimeError(f"shapes differ: {next(batches)}")


def test_a_full_shared_memory_is_said_instead_of_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(_tensor: Tensor) -> Tensor:
        raise RuntimeError("unable to allocate shared memory(shm)\nC++ frames")

    monkeypatch.setattr(Tensor, "share_memory_", full)  # before the workers are forked
    error = failure(Numbers(), 2)
    assert isinstance(error, UserError)
    assert re.search(r"(?s)no room.*/dev/shm.*\(shm\)\n.*shm-size", str(error))

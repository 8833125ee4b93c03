"""Tests in several processes (pytest-xdist): how many, who runs what, and what they share.

A process takes a whole file, for fixtures of a module are made once per process. `xdist_group` on a
test or a file makes another portion of it. What takes long starts first, or one process would run
it alone at the end.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

WORKER = "PYTEST_XDIST_WORKER"
MEMORY = 3 << 30
"""Bytes per process, with those that it starts; the largest held 2 GB."""


def one_thread_each() -> None:
    """To be called before torch is loaded; a test that needs more threads asks for them."""
    if WORKER in os.environ:
        os.environ["OMP_NUM_THREADS"] = "1"


def older_instructions() -> None:
    """Those of the embedded profile, before the first test computes: later they are refused.

    MKL excepted, for good: it reads its variable at its first product. Its compatible kernels,
    which the profile takes, let a product depend on its place (docs/reproducibility.md), and the
    tests of distances are about its own.
    """
    import torch  # noqa: PLC0415

    from reidpipe.runtime import machine  # noqa: PLC0415

    machine.pin("avx2")
    os.environ.pop("MKL_CBWR", None)
    _ = torch.ones(2, 2) @ torch.ones(2, 2)


def pytest_xdist_auto_num_workers() -> int:
    """One process per core, as far as the memory reaches."""
    room = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MEMORY
    return max(1, min(os.cpu_count() or 1, room))


FIRST = (
    *(
        "test_from_scratch",
        "test_spread",
        "test_repro",
        "test_seeds_trained",
        "test_paper_profile",
        "test_planted",
        "types",
    ),
    *("kills at changes", "kills at random", "test_several_ranks", "test_extending"),
    *("test_run", "test_check", "test_steps", "test_guard", "test_broken_archives", "test_golden"),
)
"""Portions that take longest, the longest first."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    """Where a test stands; those of equal places keep their order."""
    mark = item.get_closest_marker("xdist_group")
    assert mark
    return FIRST.index(mark.args[0]) if mark.args[0] in FIRST else len(FIRST)


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """What a stage sets for its whole process (reidpipe.runtime.machine) ends with the test.

    Else tests would depend on their order: hypothesis finds no floats where denormals are zero.
    """
    import torch  # noqa: PLC0415

    threads, mode = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    yield
    os.environ.pop("MKL_CBWR", None)  # what tests start computes as they do (tests/conftest.py)
    torch.set_flush_denormal(False)
    torch.set_deterministic_debug_mode(mode)
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)


def built_once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], object]) -> Path:
    """A folder that the first process to need it builds, and all read; `build` makes it."""
    base = factory.getbasetemp()
    folder = (base.parent if WORKER in os.environ else base) / "shared" / name
    folder.parent.mkdir(exist_ok=True)
    done = folder.with_name(f"{name}.done")
    with folder.with_name(f"{name}.lock").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)  # ends with its process, whatever happens to that
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a process that failed here
            build(folder)
            done.touch()
    return folder

"""Before any test imports torch: reidpipe sets how its threads wait."""

from collections.abc import Iterator

import pytest

import reidpipe as reidpipe  # noqa: PLC0414
from tests.parallel import (
    as_it_was,
    one_thread_each,
    pytest_collection_modifyitems,
    pytest_xdist_auto_num_workers,
)

__all__ = ["as_it_was", "pytest_collection_modifyitems", "pytest_xdist_auto_num_workers"]
one_thread_each()


@pytest.fixture(scope="session", autouse=True)
def own_instructions() -> Iterator[None]:
    """Switches that come too late for this process must not reach those that it starts.

    Of the session, for the report that tests share is made by a fixture of the session.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reidpipe.runtime.machine._AVX2", {})
        yield

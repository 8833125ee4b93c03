"""Before any test imports torch: reidpipe sets how its threads wait, and the instructions."""

from reidpipe.runtime.process import settle
from tests.parallel import (
    as_it_was,
    older_instructions,
    one_thread_each,
    pytest_collection_modifyitems,
    pytest_xdist_auto_num_workers,
)

__all__ = ["as_it_was", "pytest_collection_modifyitems", "pytest_xdist_auto_num_workers"]
settle()
one_thread_each()
older_instructions()

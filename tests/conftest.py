"""Before any test imports torch: reidpipe sets how its threads wait, and the instructions."""

import os

import reidpipe as reidpipe  # noqa: PLC0414
from tests.parallel import (
    as_it_was,
    one_thread_each,
    pytest_collection_modifyitems,
    pytest_xdist_auto_num_workers,
)

__all__ = ["as_it_was", "pytest_collection_modifyitems", "pytest_xdist_auto_num_workers"]
one_thread_each()

# isort: split
import torch

from reidpipe.runtime import machine

# Tests compute long before the first of them calls a stage, which would be refused as too late.
machine.pin("avx2")
# MKL excepted, for good: it reads its variable at its first product. Its compatible kernels, which
# the embedded profile takes, let a product depend on its place (docs/reproducibility.md), and the
# tests of distances are about its own.
os.environ.pop("MKL_CBWR", None)
torch.ones(2, 2) @ torch.ones(2, 2)

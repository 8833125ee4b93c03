"""Before any test imports torch: reidpipe sets how its threads wait, and the instructions."""

import os

import reidpipe as reidpipe  # noqa: PLC0414
from reidpipe.runtime import machine

# isort: split
import torch

# Tests compute long before the first of them calls a stage, which would be refused as too late.
machine.pin("avx2")
# MKL excepted, for good: it reads its variable at its first product. Its compatible kernels, which
# the embedded profile takes, let a product depend on its place (docs/reproducibility.md), and the
# tests of distances are about its own.
os.environ.pop("MKL_CBWR", None)
torch.ones(2, 2) @ torch.ones(2, 2)

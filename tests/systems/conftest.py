"""The tiny training problem of tests/training."""

from tests.training.conftest import tiny_set

__all__ = ["tiny_set"]

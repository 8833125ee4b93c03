"""Random streams. No draw comes from a global one."""

import hashlib

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray


def stream(*key: int | str) -> np.random.Generator:
    """A random stream of its own for each `key`, equal on every machine and in every process.

    The key (seed, purpose, epoch, index) alone decides what is drawn.
    """
    text = "/".join(str(part) for part in key)
    words = np.frombuffer(hashlib.sha256(text.encode()).digest(), dtype="<u8")
    bits = np.random.Philox(_Key(words[:2]))  # type: ignore[arg-type] # numpy's stubs are narrower
    return np.random.Generator(bits)


class _Key(ISeedSequence):
    """Philox's key, uint64 [2]. Given one as `key=`, numpy asks the system for randomness as well.

    That takes longer than all the rest, and augmentation has a stream per image.
    """

    def __init__(self, words: NDArray[np.uint64]) -> None:
        self._words = words

    def generate_state(self, n_words: int, dtype: object = None) -> NDArray[np.uint64]:  # noqa: ARG002
        """What numpy asks for: two words of 64 bits."""
        return self._words

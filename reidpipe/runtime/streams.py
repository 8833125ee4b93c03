"""Random streams. No draw comes from a global one."""

import hashlib

import numpy as np


def stream(*key: int | str) -> np.random.Generator:
    """A random stream of its own for each `key`, equal on every machine and in every process.

    The key (seed, purpose, epoch, index) alone decides what is drawn.
    """
    text = "/".join(str(part) for part in key)
    words = np.frombuffer(hashlib.sha256(text.encode()).digest(), dtype="<u8")
    return np.random.Generator(np.random.Philox(key=words[:2]))

"""What a code base is known by, and its names for our tensors."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

OURS = ("backbone.", "neck.", "hidden.", "head.")
"""What our names begin with: `systems/ours.py`, `systems/ide.py`, `systems/osnet.py`."""


@dataclass(frozen=True)
class CodeBase:
    """One way to name the tensors of a network."""

    name: str
    source: str
    """The repository, and where in it."""
    marks: tuple[str, ...]
    """Patterns, each of which one name must match from its beginning to its end."""
    rules: tuple[tuple[str, str], ...]
    """Patterns and what stands in their place, one after the other."""
    unused: str = "(?!)"
    """Names of what no descriptor needs."""
    last_stride: Literal[1, 2] = 1
    """Of its ResNets, unless their user has changed it: no tensor tells."""
    ceil: bool = False
    """Whether the pooling of its ResNets' stem has no padding and rounds up: no tensor tells."""

    def knows(self, names: Iterable[str]) -> bool:
        """Whether these are names of this code base."""
        return all(any(re.fullmatch(mark, name) for name in names) for mark in self.marks)

    def ours(self, name: str) -> str | None:
        """Our name of a tensor; None where it has none."""
        for pattern, instead in self.rules:
            name = re.sub(pattern, instead, name)
        return name if name.startswith(OURS) else None

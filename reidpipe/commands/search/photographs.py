"""Photographs of any size and quality as images that a network takes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock

import numpy as np
from PIL import Image

from reidpipe.datasets.sources.listing import UnreadableFileError
from reidpipe.errors import Problems
from reidpipe.formats.pictures import BadImageError, decode
from reidpipe.images.images import Images

SQUEEZED = 2.0
"""Images are noted whose width to height is so many times the network's, or its inverse."""


class Photographs(Images):
    """N images that `read` gives by number; unreadable ones are noted and left black."""

    def __init__(
        self,
        names: Sequence[str],
        read: Callable[[int], bytes],
        size: tuple[int, int],
        problems: Problems,
    ) -> None:
        super().__init__(Path(), names, size, cache_mb=0)
        self.problems = problems
        self.unreadable: set[int] = set()
        """Numbers of what could not be read."""
        self.squeezed: set[int] = set()
        """Numbers of what has quite another shape than the network's input."""
        self._content = read
        self._lock = Lock()

    def _one(self, index: int) -> np.ndarray:
        height, width = self.size
        name = self.members[index]
        try:
            with self._lock:  # a tar has one position
                content = self._content(index)
            image = decode(content)
        except (BadImageError, UnreadableFileError) as error:
            kind = error.kind if isinstance(error, BadImageError) else "files that cannot be read"
            with self._lock:
                self.problems.add(kind, f"{name}: {error}")
                self.unreadable.add(index)
            return np.zeros((height, width, 3), np.uint8)
        factor = (image.width / image.height) / (width / height)
        if max(factor, 1 / factor) > SQUEEZED:
            with self._lock:
                self.squeezed.add(index)
        return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))

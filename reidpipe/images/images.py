"""Images of a data set as uint8 tensors of one size, read from the stored zip.

Decoding and resizing happen once where the set fits the memory budget; otherwise every access reads
the zip, in the loader's workers (one handle per process).
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from reidpipe.formats import zips
from reidpipe.formats.pictures import decode

_MEGABYTE = 1 << 20


class Images:
    """The images `members` of `archive`, bicubically resized to `size` = (height, width) pixels."""

    def __init__(
        self, archive: Path, members: Sequence[str], size: tuple[int, int], cache_mb: int
    ) -> None:
        self.archive = archive
        self.members = list(members)
        self.size = size
        height, width = size
        fits = len(self.members) * 3 * height * width <= cache_mb * _MEGABYTE
        self._kept = self._read(range(len(self.members))) if fits else None

    def __len__(self) -> int:
        return len(self.members)

    def take(self, indices: Sequence[int] | np.ndarray) -> Tensor:
        """Images at `indices` as uint8 [B, 3, H, W], in the order asked for."""
        if self._kept is not None:
            return self._kept[torch.as_tensor(np.asarray(indices))]
        return self._read(indices)

    def _read(self, indices: Sequence[int] | np.ndarray | range) -> Tensor:
        height, width = self.size
        pixels = np.empty((len(indices), 3, height, width), np.uint8)

        def put(row: int) -> None:
            pixels[row] = self._one(int(indices[row])).transpose(2, 0, 1)

        # Threads, because Pillow decodes and resizes outside the interpreter's lock; as many as
        # torch would take here, which is one in a loader's worker.
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            list(pool.map(put, range(len(indices))))  # raises what they raise
        return torch.from_numpy(pixels)

    def _one(self, index: int) -> np.ndarray:
        """uint8 [H, W, 3]."""
        height, width = self.size
        image = decode(zips.read(self.archive, self.members[index]))
        return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))

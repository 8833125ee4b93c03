"""Augmentation of a training batch, and normalisation.

The recipe of the ReID baselines (BoT, 1903.07071): horizontal flip, zero padding with a random
crop back to size, random erasing. What happens to an image follows from the seed, the epoch and its
place in the epoch's order alone: the number of workers and a resumed run change nothing, and an
image that an epoch has several times looks another each time.

Pixels stay bytes until they are on the network's device: `augment` is a worker's part, `normalise`
and `erase` are the device's. A GPU is sent a quarter of what floats would be.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from reidpipe.runtime.settings import Fraction, NonNegativeInt
from reidpipe.runtime.streams import stream

# Channel means and standard deviations of ImageNet, which the pre-trained weights expect.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
# By numpy: torch fixes the instructions that it uses when it first computes, and an import must not
# (runtime/machine.py). No tensor is kept either, which an exporter might replace by one of its own.
_PIXELS = [(np.float32(255) * np.array(v, np.float32)).reshape(1, 3, 1, 1) for v in (MEAN, STD)]

# Random erasing (1708.04896), section 4.1: smallest share of the image's area, and aspect ratio.
ERASED_AREA = 0.02
ERASED_ASPECT = (0.3, 1 / 0.3)
_TRIES = 100
NO_BOX = (0, 0, 0, 0)


class Draw(NamedTuple):
    """What happens to one image: flipped or not, the crop's corner, the erased box (or none)."""

    flip: bool
    top: int
    left: int
    erased: tuple[int, int, int, int] | None
    """Top, left, height, width in pixels of the crop."""


def normalise(images: Tensor) -> Tensor:
    """uint8 [B, 3, H, W] to float32 of ImageNet's mean 0 and standard deviation 1."""
    # A GPU that is sent them and waited for would have no work for the next step in the meantime.
    constants = (torch.from_numpy(pixels) for pixels in _PIXELS)
    mean, std = (pixels.to(images.device, non_blocking=True) for pixels in constants)
    return (images.to(torch.float32) - mean) / std


def augment(
    images: Tensor,
    places: Sequence[int],
    seed: int,
    epoch: int,
    *,
    flip: Fraction = 0.5,
    pad: NonNegativeInt = 10,
    erase: Fraction = 0.5,
    largest: Fraction = 0.4,
    growing: NonNegativeInt = 0,
) -> tuple[Tensor, Tensor]:
    """Flip and crop uint8 [B, 3, H, W], and draw the boxes int64 [B, 4] that `erase` takes.

    Args:
        images: those of a batch.
        places: [B], their places in the order of the epoch.
        seed: of the run.
        epoch: from 0.
        flip: probability of a horizontal flip.
        pad: pixels of zeros on each side, from which the crop is taken.
        erase: probability of random erasing (1708.04896).
        largest: share of the image that it may take.
        growing: epochs over which that grows from nothing.
    """
    height, width = images.shape[2:]
    if epoch < growing:
        largest *= epoch / growing
    options: dict[str, Any] = {"flip": flip, "pad": pad, "erase": erase, "largest": largest}
    draws = [
        draw((height, width), stream(seed, "augment", epoch, place), **options) for place in places
    ]
    padded = functional.pad(images, [pad] * 4)
    crops = torch.empty_like(images)
    for crop, source, (flipped, top, left, _) in zip(crops, padded, draws, strict=True):
        window = source[:, top : top + height, left : left + width]
        crop.copy_(window.flip(2) if flipped else window)
    return crops, torch.tensor([chance.erased or NO_BOX for chance in draws])


def erase(images: Tensor, boxes: Tensor) -> Tensor:
    """Fill a box (top, left, height, width) of each normalised image [B, 3, H, W], in place.

    It takes the mean colour, zero after normalising, as the ReID baselines do; the paper of random
    erasing compares that with random values and finds little between them.
    """
    top, left, tall, wide = boxes.T[..., None, None]
    row = torch.arange(images.shape[2], device=images.device)[:, None]
    column = torch.arange(images.shape[3], device=images.device)
    inside = (row >= top) & (row < top + tall) & (column >= left) & (column < left + wide)
    return images.masked_fill_(inside[:, None], 0)


def draw(
    size: tuple[int, int],
    random: np.random.Generator,
    *,
    flip: float,
    pad: int,
    erase: float,
    largest: float,
) -> Draw:
    """What happens to one image of `size` (H, W)."""
    # One number at a time: numpy takes longer over two.
    flipped, erased = random.random() < flip, random.random() < erase
    top, left = (int(random.integers(2 * pad + 1)) for _ in range(2))
    return Draw(flipped, top, left, erased_box(random, size, largest) if erased else None)


def erased_box(
    random: np.random.Generator, size: tuple[int, int], largest: float
) -> tuple[int, int, int, int] | None:
    """A box of random area, aspect and place inside (H, W), as Algorithm 1 of 1708.04896.

    Its area is at most the share `largest` of the image's.

    Its loop has no end; ours gives up after 100 boxes that do not fit.
    """
    height, width = size
    for _ in range(_TRIES):
        area = random.uniform(min(ERASED_AREA, largest), largest) * height * width
        aspect = random.uniform(*ERASED_ASPECT)
        tall, wide = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < tall < height and 0 < wide < width:
            top = int(random.integers(0, height - tall + 1))
            left = int(random.integers(0, width - wide + 1))
            return top, left, tall, wide
    return None

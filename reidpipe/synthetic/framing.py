"""Boxes around people, as imperfect as a detector's."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from reidpipe.synthetic.solids import Floats, Solids

Framing = Literal["good", "bad", "empty"]
"""A detector's box; one much too small or large; one that shows nobody."""

OVERSAMPLE = 2
"""Rays a pixel, along each side."""

_TOO_SMALL, _TOO_LARGE = 0.55, 1.7


@dataclass(frozen=True)
class Box:
    """Where the rays of a picture start, metres: columns (W) to the right, rows (H) downward."""

    x: Floats
    y: Floats


def around(
    solids: Solids,
    size: tuple[int, int],
    framing: Framing,
    cut_off: float,
    rng: np.random.Generator,
) -> Box:
    """Box of `size` (height, width) pixels around a body, a little off.

    A share `cut_off` of the good ones is much too high or too low.
    """
    height, width = size
    centres = np.linalg.inv(solids.inverses)[:, :2, 3]
    (left, low), (right, high) = centres.min(axis=0), centres.max(axis=0)
    low, high = low - 0.08, high + 0.12
    tall = (high - low) * np.exp(rng.normal(0.06, 0.04))
    shift = rng.normal(0, 0.025, 2) * tall
    if framing != "good":
        tall *= rng.choice([_TOO_SMALL, _TOO_LARGE])
        shift = rng.uniform(-0.4, 0.4, 2) * tall
    elif rng.random() < cut_off:
        shift[1] += rng.choice([-0.18, 0.18]) * tall
    # Pixels are not square: boxes of any shape are stretched to the picture's.
    step = tall / (height * OVERSAMPLE)
    stretch = np.exp(rng.normal(0, 0.05))
    x = (left + right) / 2 + shift[0] + _centred(width * OVERSAMPLE) * step * stretch
    return Box(x, (low + high) / 2 + shift[1] - _centred(height * OVERSAMPLE) * step)


def _centred(count: int) -> Floats:
    """-1.5, -0.5, 0.5, 1.5 for 4."""
    return np.arange(count, dtype=np.float64) - (count - 1) / 2

"""Things that stand between the camera and a person: posts, bins, hedges."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reidpipe.synthetic.solids import Floats


@dataclass(frozen=True)
class Occluder:
    """Where it is (H x W) and its linear light (H x W x 3)."""

    mask: NDArray[np.bool_]
    light: Floats


def placed(x: Floats, y: Floats, share: float, rng: np.random.Generator) -> Occluder | None:
    """Put one on the grid `y` (H) by `x` (W) metres in a `share` of the images, else none."""
    if rng.random() > share:
        return None
    kind = rng.choice(["post", "bin", "hedge"])
    if kind == "post":
        return _post(x, y, rng)
    return _bin(x, y, rng) if kind == "bin" else _hedge(x, y, rng)


def _colour(rng: np.random.Generator) -> Floats:
    return rng.uniform(0.05, 0.6) * rng.uniform(0.6, 1.0, 3)


def _post(x: Floats, y: Floats, rng: np.random.Generator) -> Occluder:
    """A round upright: its sides turn away from the light."""
    radius, centre = rng.uniform(0.04, 0.11), rng.uniform(-0.35, 0.35)
    off = np.clip((x - centre) / radius, -1, 1)
    shade = 0.3 + 0.7 * np.sqrt(1 - off**2)
    mask = np.broadcast_to(np.abs(x - centre) < radius, (len(y), len(x)))
    light = np.broadcast_to((shade[:, None] * _colour(rng))[None], (*mask.shape, 3))
    return Occluder(mask, light)


def _bin(x: Floats, y: Floats, rng: np.random.Generator) -> Occluder:
    """A box with a lid, as high as the knees or the hips."""
    top, centre, half = rng.uniform(0.4, 0.95), rng.uniform(-0.4, 0.4), rng.uniform(0.2, 0.4)
    mask = (y[:, None] < top) & (np.abs(x - centre)[None, :] < half)
    shade = np.where(y > top - 0.09, 1.3, np.where(y > top - 0.12, 0.4, 0.9))
    light = np.broadcast_to((shade[:, None] * _colour(rng))[:, None], (*mask.shape, 3))
    return Occluder(mask, light)


def _hedge(x: Floats, y: Floats, rng: np.random.Generator) -> Occluder:
    """Leaves with an uneven upper edge."""
    wave = sum(rng.uniform(0, 0.07) * np.sin(rng.uniform(4, 25) * x + i) for i in range(4))
    mask = y[:, None] < rng.uniform(0.3, 0.75) + np.asarray(wave)[None, :]
    leaves = rng.uniform(0.3, 1.3, (len(y), len(x), 1))
    return Occluder(mask, leaves * np.array([0.06, 0.16, 0.04]) * rng.uniform(0.6, 1.4))

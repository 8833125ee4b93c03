"""Grounds and walls: reflectance as a function of metres along and away from the wall's foot."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from reidpipe.synthetic.solids import Floats

Share = NDArray[np.floating | np.bool_]
Paint = Callable[[Floats, Floats, np.random.Generator], Floats]

_SEAM = 0.03
_PLINTH = 0.12
_SILL, _LINTEL = 0.9, 2.6
_SKY = (0.62, 0.72, 0.85)


def ground(x: Floats, depth: Floats, rng: np.random.Generator) -> Floats:
    """Draw a ground, H x W x 3: `depth` H x 1 metres before the wall, `x` 1 x W metres along it."""
    kind = _GROUNDS[rng.integers(len(_GROUNDS))]
    mottled = 0.75 + 0.5 * _mottle(rng, (len(depth), x.shape[1]), 3)
    return kind(x, depth, rng) * mottled[..., None]


def wall(x: Floats, height: Floats, rng: np.random.Generator) -> Floats:
    """Draw a wall, H x W x 3: `height` H x 1 metres above its foot, `x` 1 x W metres along it."""
    kind = _WALLS[rng.integers(len(_WALLS))]
    stains = 0.85 + 0.3 * _mottle(rng, (len(height), x.shape[1]), 25)
    painted = kind(x, height, rng) * stains[..., None]
    painted *= np.where(height < _PLINTH, 0.6, 1.0)[..., None]
    if kind is not _hedge:
        painted = _posters(painted, x, height, rng)
    return _mixed(painted, _SKY, (height > rng.uniform(2.2, 6.0)) & (x >= 0))


def _tiles(x: Floats, depth: Floats, rng: np.random.Generator) -> Floats:
    size = rng.uniform(0.35, 0.9)
    seams = (depth % size < _SEAM) | (x % size < _SEAM)
    chess = (depth // size + x // size) % 2
    return _mixed(_stone(rng), _stone(rng), 0.5 * chess + 0.5 * seams)


def _asphalt(x: Floats, depth: Floats, rng: np.random.Generator) -> Floats:
    line = rng.uniform(1.5, 4)
    return _mixed(_stone(rng), (0.5, 0.5, 0.48), (np.abs(depth - line) < _PLINTH) & (x >= 0))


def _grass(x: Floats, depth: Floats, rng: np.random.Generator) -> Floats:
    path, half = rng.uniform(2.5, 4.5), rng.uniform(1, 2.5)
    return _mixed((0.06, 0.16, 0.03), (0.35, 0.3, 0.22), (np.abs(depth - path) < half) & (x >= 0))


def _planks(x: Floats, depth: Floats, rng: np.random.Generator) -> Floats:
    gaps = depth % rng.uniform(0.17, 0.45) < _SEAM
    return _mixed((0.3, 0.2, 0.11), (0.08, 0.05, 0.03), gaps & (x >= 0))


def _windows(x: Floats, height: Floats, rng: np.random.Generator) -> Floats:
    glass = 0.5 + 0.5 * _mottle(rng, (len(height), x.shape[1]), 30)
    return _mixed(_stone(rng), (0.1, 0.13, 0.17), _panes(x, height, rng) * glass)


def _shop(x: Floats, height: Floats, rng: np.random.Generator) -> Floats:
    sign = (np.abs(height - _LINTEL) < rng.uniform(0.2, 0.4)) & (x >= 0)
    glass = _mottle(rng, (len(height), x.shape[1]), 30)
    front = _mixed(_stone(rng), (0.45, 0.5, 0.52), _panes(x, height, rng) * glass)
    return _mixed(front, _paper(rng), sign)


def _bricks(x: Floats, height: Floats, rng: np.random.Generator) -> Floats:
    tall, wide = 0.14, 0.3
    shifted = x + wide / 2 * (height // tall % 2)
    seams = (height % tall < _SEAM) | (shifted % wide < _SEAM)
    red = np.array([0.32, 0.13, 0.08]) * rng.uniform(0.6, 1.2)
    return _mixed(red, (0.4, 0.36, 0.32), 0.6 * seams)


def _pillars(x: Floats, height: Floats, rng: np.random.Generator) -> Floats:
    pillar = x % rng.uniform(1.2, 2.6) < rng.uniform(0.25, 0.5)
    return _mixed(_stone(rng), _stone(rng), pillar & (height >= 0))


def _hedge(x: Floats, height: Floats, rng: np.random.Generator) -> Floats:
    leaves = _mottle(rng, (len(height), x.shape[1]), 4)
    return _mixed((0.03, 0.07, 0.02), (0.13, 0.26, 0.06), leaves)


def _panes(x: Floats, height: Floats, rng: np.random.Generator) -> NDArray[np.bool_]:
    period = rng.uniform(1.2, 2.6)
    return (x % period > 0.35 * period) & (height > _SILL) & (height < _LINTEL)


def _posters(painted: Floats, x: Floats, height: Floats, rng: np.random.Generator) -> Floats:
    """Doors, notices and vans: a few upright rectangles."""
    for _ in range(int(rng.integers(2, 7))):
        middle, bottom = rng.uniform(x.min(), x.max()), rng.choice([0.0, 0.0, 0.8])
        wide, tall = rng.uniform(0.4, 1.3), rng.uniform(0.6, 2.1)
        inside = (np.abs(x - middle) < wide / 2) & (np.abs(height - bottom - tall / 2) < tall / 2)
        painted = _mixed(painted, _paper(rng), inside)
    return painted


def _mixed(
    first: Floats | tuple[float, ...], second: Floats | tuple[float, ...], share: Share
) -> Floats:
    """`share` H x W of the second colour, the rest of the first."""
    weight = np.asarray(share, dtype=np.float64)[..., None]
    return np.asarray((1 - weight) * np.asarray(first) + weight * np.asarray(second))


def _stone(rng: np.random.Generator) -> Floats:
    return np.asarray(rng.uniform(0.08, 0.5) * rng.uniform(0.85, 1.15, 3))


def _paper(rng: np.random.Generator) -> Floats:
    return np.asarray((rng.uniform(0.2, 0.8) + rng.uniform(-0.2, 0.2, 3)) ** 2.2)


def _mottle(rng: np.random.Generator, shape: tuple[int, int], grain: int) -> Floats:
    """Smooth noise in 0..1: random values every `grain` pixels, linear between them."""
    height, width = shape
    coarse = rng.uniform(size=(height // grain + 2, width // grain + 2))
    rows, columns = np.arange(height) / grain, np.arange(width) / grain
    top, left = rows.astype(np.intp), columns.astype(np.intp)
    down, right = (rows - top)[:, None], (columns - left)[None, :]
    upper = coarse[top][:, left] * (1 - right) + coarse[top][:, left + 1] * right
    lower = coarse[top + 1][:, left] * (1 - right) + coarse[top + 1][:, left + 1] * right
    return np.asarray(upper * (1 - down) + lower * down)


_GROUNDS: tuple[Paint, ...] = (_tiles, _asphalt, _grass, _planks)
_WALLS: tuple[Paint, ...] = (_windows, _shop, _bricks, _pillars, _hedge)

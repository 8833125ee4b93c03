"""Colours and patterns of cloth, as functions of the place on the body part."""

from collections.abc import Callable
from colorsys import hsv_to_rgb
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from reidpipe.synthetic.solids import Floats

Colour = tuple[float, float, float]
"""Linear light, the share of it that is reflected in red, green and blue."""

Marks = NDArray[np.bool_]
"""Where the second colour shows."""

_PRINTS = ("open", "logo", "back")
_GREYS = 0.45
"""Share of clothes without much colour: streets are dark and grey."""
_GREY_VALUES = (0.1, 0.3, 0.6, 0.92)
_SIDE_SEAM = 0.1
_ARM_RADIUS = 0.15


@dataclass(frozen=True)
class Fabric:
    """A cloth in one or two colours. Lengths are metres."""

    colour: Colour
    second: Colour
    pattern: str = "plain"
    period: float = 0.16
    height: float = 0.1
    """Of the border of "halves" and of the middle of a print, above the waist."""

    def without_print(self) -> Self:
        """The same cloth where the body's front and back prints do not reach: sleeves, legs."""
        return replace(self, pattern="plain") if self.pattern in _PRINTS else self


def plain(colour: Colour) -> Fabric:
    return Fabric(colour, colour)


def dyed(rng: np.random.Generator, patterned: float) -> Fabric:
    """Draw a cloth; it has a pattern with probability `patterned`."""
    pattern = str(rng.choice(list(_PATTERNS))) if rng.random() < patterned else "plain"
    return Fabric(
        colour=_dye(rng),
        second=_dye(rng),
        pattern=pattern,
        period=float(rng.uniform(0.12, 0.24)),
        height=float(rng.uniform(0.05, 0.2)),
    )


def _dye(rng: np.random.Generator) -> Colour:
    hue = rng.uniform()
    if rng.random() < _GREYS:
        return _linear(hue, rng.uniform(0, 0.15), rng.choice(_GREY_VALUES))
    return _linear(hue, rng.uniform(0.3, 0.85), rng.uniform(0.25, 0.85))


def _linear(hue: float, saturation: float, value: float) -> Colour:
    """HSV as on a screen to linear light."""
    red, green, blue = (channel**2.2 for channel in hsv_to_rgb(hue, saturation, value))
    return float(red), float(green), float(blue)


def colours(fabric: Fabric, place: Floats) -> Floats:
    """Reflectance N x 3 at `place` N x 3: metres to the side, along the part, to the front."""
    if fabric.pattern == "plain":
        return np.broadcast_to(np.array(fabric.colour), place.shape)
    side, along, front = place.T
    marks = _PATTERNS[fabric.pattern](fabric, side, along, front)
    return np.where(marks[:, None], np.array(fabric.second), np.array(fabric.colour))


def _stripes(fabric: Fabric, _side: Floats, along: Floats, _front: Floats) -> Marks:
    return along % fabric.period < fabric.period / 2


def _rings(fabric: Fabric, _side: Floats, along: Floats, _front: Floats) -> Marks:
    return along % fabric.period < fabric.period / 3.5


def _checks(fabric: Fabric, side: Floats, along: Floats, front: Floats) -> Marks:
    around = np.arctan2(side, np.abs(front) + 1e-6) * _ARM_RADIUS
    bars = around % fabric.period < fabric.period / 2
    return bars ^ _stripes(fabric, side, along, front)


def _halves(fabric: Fabric, _side: Floats, along: Floats, _front: Floats) -> Marks:
    return along > fabric.height


def _open(fabric: Fabric, side: Floats, _along: Floats, front: Floats) -> Marks:
    """An open jacket: the shirt shows in front."""
    return (np.abs(side) < 0.25 * fabric.period + 0.02) & (front > 0)


def _logo(fabric: Fabric, side: Floats, along: Floats, front: Floats) -> Marks:
    return (front > 0) & (np.hypot(side, along - fabric.height) < 0.4 * fabric.period)


def _back(fabric: Fabric, side: Floats, along: Floats, front: Floats) -> Marks:
    reach = np.maximum(np.abs(side), np.abs(along - fabric.height))
    return (front < 0) & (reach < 0.4 * fabric.period)


def _sides(_fabric: Fabric, side: Floats, _along: Floats, _front: Floats) -> Marks:
    return np.abs(side) > _SIDE_SEAM


_PATTERNS: dict[str, Callable[[Fabric, Floats, Floats, Floats], Marks]] = {
    "stripes": _stripes,
    "rings": _rings,
    "checks": _checks,
    "halves": _halves,
    "open": _open,
    "logo": _logo,
    "back": _back,
    "sides": _sides,
}

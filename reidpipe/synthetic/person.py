"""What one person looks like, whoever photographs them: build, hair, clothes, bag."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from reidpipe.synthetic.fabric import Colour, Fabric, dyed, plain

HAIRS = ("short", "long", "bun", "cap", "bald", "afro")
LEGWEAR = ("trousers", "shorts", "skirt")
BAGS = ("none", "backpack", "left", "right", "hand")

_LONG_SLEEVES, _HOODS, _OTHER_SLEEVES, _BARE_LEGS = 0.6, 0.2, 0.4, 0.7
"""How often; raglan shirts and waistcoats have other sleeves, tights cover legs."""
_HEM_OVER_SKIRT = 0.5


class Material(IntEnum):
    """Index into `Person.fabrics`."""

    SKIN = 0
    HAIR = 1
    TOP = 2
    SLEEVE = 3
    LEGS = 4
    STOCKING = 5
    SHOE = 6
    BAG = 7


@dataclass(frozen=True)
class Person:
    """An identity. Lengths are metres; the ratios multiply an average body."""

    height: float
    width: float
    shoulders: float
    leg_width: float
    hair: str
    long_sleeves: bool
    hem: float
    """Where the top ends, as a share of the height: 0.36 is a coat, 0.56 a short jacket."""
    hood: bool
    legwear: str
    bag: str
    stride: float
    """How far the legs swing, radians."""
    fabrics: tuple[Fabric, ...]
    """One a `Material`."""


def born(rng: np.random.Generator) -> Person:
    """Draw a person."""
    legwear = str(rng.choice(LEGWEAR, p=[0.64, 0.18, 0.18]))
    hem = float(rng.choice([0.37, 0.46, 0.5, 0.55], p=[0.15, 0.3, 0.3, 0.25]))
    return Person(
        height=float(np.clip(rng.normal(1.70, 0.09), 1.45, 1.95)),
        width=float(rng.uniform(0.85, 1.3)),
        shoulders=float(rng.uniform(0.9, 1.12)),
        leg_width=float(rng.uniform(0.85, 1.3)),
        hair=str(rng.choice(HAIRS, p=[0.34, 0.26, 0.1, 0.16, 0.06, 0.08])),
        long_sleeves=bool(rng.random() < _LONG_SLEEVES),
        hem=max(hem, _HEM_OVER_SKIRT) if legwear == "skirt" else hem,
        hood=bool(rng.random() < _HOODS),
        legwear=legwear,
        bag=str(rng.choice(BAGS, p=[0.38, 0.24, 0.14, 0.14, 0.1])),
        stride=float(rng.uniform(0.25, 0.5)),
        fabrics=_wardrobe(rng, legwear),
    )


def _wardrobe(rng: np.random.Generator, legwear: str) -> tuple[Fabric, ...]:
    skin = plain(_skin(rng))
    top = dyed(rng, patterned=0.75)
    sleeve = plain(top.second) if rng.random() < _OTHER_SLEEVES else top.without_print()
    legs = dyed(rng, patterned=0.25).without_print()
    bare = skin if rng.random() < _BARE_LEGS else plain(dyed(rng, patterned=0).colour)
    stocking = legs if legwear == "trousers" else bare
    hair = plain(_hair(rng))
    shoe, bag = (plain(dyed(rng, patterned=0).colour) for _ in range(2))
    return skin, hair, top, sleeve, legs, stocking, shoe, bag


def _skin(rng: np.random.Generator) -> Colour:
    light, dark = np.array([0.80, 0.55, 0.42]), np.array([0.16, 0.08, 0.05])
    share = rng.uniform()
    return _rgb(light * (1 - share) + dark * share)


def _hair(rng: np.random.Generator) -> Colour:
    tones = ((0.02, 0.02, 0.02), (0.08, 0.04, 0.02), (0.25, 0.12, 0.05), (0.55, 0.38, 0.16))
    grey_red = ((0.45, 0.45, 0.45), (0.35, 0.09, 0.03))
    tone = rng.choice(np.array(tones + grey_red), p=[0.35, 0.25, 0.12, 0.12, 0.1, 0.06])
    return _rgb(tone * rng.uniform(0.8, 1.2))


def _rgb(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Colour:
    red, green, blue = (float(value) for value in values)
    return red, green, blue

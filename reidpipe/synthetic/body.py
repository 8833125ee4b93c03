"""A walking body: a person and a moment of their stride become solids.

Body frame, metres: x to the person's left as they face us, y up from the ground, z to their front.
The proportions below are shares of the height, after common drawing tables.
"""

from dataclasses import dataclass
from math import cos, pi, sin

from reidpipe.synthetic.person import Material, Person
from reidpipe.synthetic.solids import Part, Point

HIP, WAIST, CHEST, SHOULDER, CHIN = 0.50, 0.60, 0.79, 0.787, 0.868
THIGH, SHIN, UPPER_ARM, FOREARM = 0.235, 0.225, 0.165, 0.145
SIDES = (-1.0, 1.0)
"""Right and left."""
_CROWN, _NECK = (0.0, 1.0, 0.0), (0.0, 0.855, 0.0)
_FLAT = 0.72
"""A trunk is less deep than wide; its pieces share one ratio, or their rims would not meet."""


@dataclass(frozen=True)
class Pose:
    """A moment of a walk."""

    phase: float
    """Of the stride, 0 to 2 pi."""
    stride: float
    """Radians; 0 stands still."""
    elbow: float
    """Radians of bend; a person on the telephone has one arm at 2.3."""
    lean: float = 0.0
    """Radians forward."""


@dataclass(frozen=True)
class _Leg:
    hip: Point
    knee: Point
    ankle: Point


@dataclass(frozen=True)
class _Arm:
    shoulder: Point
    elbow: Point
    wrist: Point
    telephones: bool


def posed(person: Person, pose: Pose) -> list[Part]:
    """All solids of `person` in `pose`, the lower foot on the ground."""
    legs = [_leg(person, pose, side) for side in SIDES]
    drop = _drop(legs)
    parts = [*_torso(person), *_head(person), *_bag(person)]
    for side in SIDES:
        parts += _arm_parts(person, _arm(person, pose, side), side)
    parts = [_leaned(part, pose.lean) for part in parts]
    for leg in legs:
        parts += _leg_parts(person, leg, pose)
    return [_scaled(part, person.height, drop) for part in parts]


def joints(person: Person, pose: Pose) -> list[Point]:
    """Where the JOINTS of `formats/pose.py` are, within the solids of `posed`."""
    legs = [_leg(person, pose, side) for side in SIDES]
    arms = [_arm(person, pose, side) for side in SIDES]
    upper = [_CROWN, _NECK]
    upper += [place for arm in arms for place in (arm.shoulder, arm.elbow, arm.wrist)]
    lower = [place for leg in legs for place in (leg.hip, leg.knee, leg.ankle)]
    places = [*(_turned(place, pose.lean) for place in upper), *lower]
    return [_metres(place, person.height, _drop(legs)) for place in places]


def _drop(legs: list[_Leg]) -> float:
    """What brings the lower foot to the ground."""
    return 0.045 - min(leg.ankle[1] for leg in legs)


def _leg(person: Person, pose: Pose, side: float) -> _Leg:
    phase = pose.phase + (pi if side > 0 else 0.0)
    swing = pose.stride * sin(phase)
    # The knee bends while the leg comes forward.
    bend = pose.stride * (0.15 + 1.3 * max(0.0, cos(phase)))
    hip = (side * 0.047 * person.width, HIP, 0.0)
    knee = _down(hip, THIGH, swing)
    return _Leg(hip, knee, _down(knee, SHIN, swing - bend))


def _down(start: Point, length: float, angle: float, out: float = 0.0) -> Point:
    """End of a limb that hangs from `start`, `angle` radians to the front, `out` to the side."""
    x, y, z = start
    return x + length * sin(out), y - length * cos(angle) * cos(out), z + length * sin(angle)


def _up(point: Point, up: float, front: float = 0.0, left: float = 0.0) -> Point:
    return point[0] + left, point[1] + up, point[2] + front


def _leg_parts(person: Person, leg: _Leg, pose: Pose) -> list[Part]:
    upper = Material.STOCKING if person.legwear == "skirt" else Material.LEGS
    wide = person.leg_width * (0.5 + 0.5 * person.width)
    thigh = 0.042 if person.legwear == "skirt" else 0.05
    knee = (0.046 if person.legwear == "shorts" else 0.036) * wide
    shin = (0.035 if person.legwear == "trousers" else 0.03) * wide
    ankle = (0.026 if person.legwear == "trousers" else 0.016) * wide
    below = Part(Material.STOCKING, leg.knee, leg.ankle, shin, ankle, offset=THIGH)
    ball = Part(Material.STOCKING, _up(leg.knee, 0.035), _up(leg.knee, -0.035), shin)
    heel, toe = _up(leg.ankle, -0.022, -0.035), _up(leg.ankle, -0.03, 0.1)
    parts = [
        Part(upper, leg.hip, leg.knee, thigh * wide, knee),
        below,
        ball,
        Part(Material.SHOE, heel, toe, 0.026, flat=0.85),
    ]
    return parts + (_skirt(person, leg, pose) if person.legwear == "skirt" else [])


def _skirt(person: Person, leg: _Leg, pose: Pose) -> list[Part]:
    """Half a skirt: a cone from the hips that follows its leg a little."""
    swing = 0.3 * (leg.knee[2] - leg.hip[2])
    hem = (leg.hip[0] * 0.6, leg.knee[1] + 0.04, swing)
    wide = 0.112 * person.width + 0.02 * pose.stride
    return [Part(Material.LEGS, (0.0, 0.53, 0.0), hem, 0.098 * person.width, wide, _FLAT)]


def _torso(person: Person) -> list[Part]:
    hips, waist = 0.094 * person.width, 0.08 * person.width
    chest = 0.098 * (0.4 + 0.6 * person.width) * person.shoulders
    hem = hips * (1.1 + 3 * max(0.0, HIP - person.hem))
    middle, top, low = (0.0, WAIST, 0.0), (0.0, CHEST, 0.0), (0.0, person.hem, 0.0)
    parts = [
        Part(Material.LEGS, (0.0, 0.455, 0.0), (0.0, WAIST, 0.0), hips, waist, _FLAT),
        Part(Material.TOP, low, middle, hem, waist * 1.04, _FLAT, person.hem - WAIST),
        Part(Material.TOP, middle, top, waist * 1.04, chest, _FLAT),
        Part(Material.TOP, (0.0, CHEST, 0.0), (0.0, 0.855, 0.0), chest, 0.034, _FLAT, offset=0.19),
        Part(Material.SKIN, (0.0, 0.82, 0.0), (0.0, 0.9, 0.005), 0.032, 0.028),
    ]
    if person.hood:
        parts.append(Part(Material.TOP, (0.0, 0.79, -0.05), (0.0, 0.875, -0.04), 0.06, flat=0.6))
    return parts


def _head(person: Person) -> list[Part]:
    skull = Part(Material.SKIN, (0.0, CHIN, 0.012), (0.0, 0.99, 0.0), 0.048, flat=1.12)
    crown = Part(Material.HAIR, (0.0, 0.893, -0.012), (0.0, 1.003, -0.008), 0.053, flat=1.08)
    long = Part(Material.HAIR, (0.0, 0.775, -0.04), (0.0, 0.985, -0.016), 0.054, flat=0.62)
    bun = Part(Material.HAIR, (0.0, 0.965, -0.055), (0.0, 1.025, -0.06), 0.03)
    cap = Part(Material.HAIR, (0.0, 0.925, 0.0), (0.0, 1.008, 0.0), 0.054, flat=1.15)
    brim = Part(Material.HAIR, (0.0, 0.952, 0.03), (0.0, 0.945, 0.11), 0.042, flat=0.2)
    afro = Part(Material.HAIR, (0.0, 0.895, -0.022), (0.0, 1.04, -0.02), 0.075, flat=0.95)
    styles = {
        "short": [crown],
        "long": [crown, long],
        "bun": [crown, bun],
        "cap": [cap, brim],
        "bald": [],
        "afro": [afro],
    }
    return [skull, *styles[person.hair]]


def _arm(person: Person, pose: Pose, side: float) -> _Arm:
    phase = pose.phase + (0.0 if side > 0 else pi)
    swing = 0.9 * pose.stride * sin(phase)
    reach = 0.096 * (0.4 + 0.6 * person.width) * person.shoulders + 0.008
    shoulder = (side * reach, SHOULDER, 0.0)
    elbow = _down(shoulder, UPPER_ARM, swing, side * 0.14)
    on_phone = side > 0 and pose.elbow > 1
    bend = pose.elbow if on_phone else 0.25 + 0.5 * max(0.0, swing)
    return _Arm(shoulder, elbow, _down(elbow, FOREARM, swing + bend, side * 0.02), on_phone)


def _arm_parts(person: Person, arm: _Arm, side: float) -> list[Part]:
    shoulder, elbow, wrist = arm.shoulder, arm.elbow, arm.wrist
    lower = Material.SLEEVE if person.long_sleeves else Material.SKIN
    thick = 0.5 + 0.5 * person.width
    parts = [
        Part(Material.SLEEVE, _up(shoulder, 0.024), _up(shoulder, -0.04), 0.034 * thick),
        Part(Material.SLEEVE, shoulder, elbow, 0.034 * thick, 0.028 * thick),
        Part(lower, _up(elbow, 0.028), _up(elbow, -0.028), 0.0275 * thick),
        Part(lower, elbow, wrist, 0.027 * thick, 0.019 * thick, offset=UPPER_ARM),
        Part(Material.SKIN, _up(wrist, 0.012), _up(wrist, -0.045), 0.02, flat=1.2),
    ]
    if person.bag == "hand" and side < 0 and not arm.telephones:
        parts.append(Part(Material.BAG, _up(wrist, -0.05), _up(wrist, -0.2), 0.03, 0.034, 3.2))
    return parts


def _bag(person: Person) -> list[Part]:
    """Each is hidden from one side: a backpack from the front, a shoulder bag by the hip."""
    if person.bag == "backpack":
        low, high = (0.0, 0.6, -0.1), (0.0, 0.77, -0.09)
        flap = Part(Material.BAG, (0.0, 0.715, -0.09), (0.0, 0.825, -0.085), 0.084, flat=0.72)
        return [Part(Material.BAG, low, high, 0.096, 0.085, 0.72), flap]
    if person.bag in {"left", "right"}:
        side = 1.0 if person.bag == "left" else -1.0
        x = side * (0.115 * person.width + 0.02)
        return [Part(Material.BAG, (x, 0.58, -0.01), (x, 0.43, -0.01), 0.03, 0.036, 1.8)]
    return []


def _leaned(part: Part, angle: float) -> Part:
    """Turn the upper body about the hips."""
    return part._replace(start=_turned(part.start, angle), end=_turned(part.end, angle))


def _turned(point: Point, angle: float) -> Point:
    x, y, z = point
    up = y - HIP
    return x, HIP + up * cos(angle) - z * sin(angle), up * sin(angle) + z * cos(angle)


def _scaled(part: Part, height: float, drop: float) -> Part:
    """From shares of the height to metres."""
    return part._replace(
        start=_metres(part.start, height, drop),
        end=_metres(part.end, height, drop),
        radius=part.radius * height,
        end_radius=None if part.end_radius is None else part.end_radius * height,
        offset=part.offset * height,
    )


def _metres(point: Point, height: float, drop: float) -> Point:
    x, y, z = point
    return x * height, (y + drop) * height, z * height

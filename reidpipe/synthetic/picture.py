"""One photograph: a person before a camera, as a detector would have cut it out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reidpipe.formats.pose import JOINTS
from reidpipe.formats.settings.data import SyntheticSource
from reidpipe.synthetic.body import Pose, joints, posed
from reidpipe.synthetic.camera import Camera, developed, lit
from reidpipe.synthetic.fabric import colours
from reidpipe.synthetic.framing import OVERSAMPLE, Box, Framing, around
from reidpipe.synthetic.occluder import placed
from reidpipe.synthetic.person import Person, born
from reidpipe.synthetic.scene import LENGTH, Scene
from reidpipe.synthetic.solids import Floats, Hits, Solids, cast, place, surface

Mask = NDArray[np.bool_]

_STANDING, _TELEPHONES = 0.15, 0.06
"""How often somebody stands, or telephones."""


@dataclass(frozen=True)
class Photograph:
    """Pixels H x W x 3, and what was true when they were taken."""

    pixels: NDArray[np.uint8]
    yaw: float
    """Degrees: 0 faces the camera, 90 walks to the picture's right."""
    occluded: float
    """Share of the person's pixels that something hides."""
    light: float
    """Brightness of the moment; 1 is the camera's usual."""
    joints: Floats
    """[14, 3]: where those of `formats/pose.py` are, as shares of the width and the height, and
    whether they are in the picture, behind nothing that stands before the person."""


@dataclass(frozen=True)
class _Exposure:
    """A picture while it is painted: linear light, 2H x 2W x 3."""

    image: Floats
    box: Box
    camera: Camera
    brightness: float


def photographed(
    person: Person,
    where: tuple[Camera, Scene],
    heading: float,
    source: SyntheticSource,
    *,
    size: tuple[int, int],
    framing: Framing,
    rng: np.random.Generator,
) -> Photograph:
    """Photograph `person`, who walks with yaw `heading` (radians), at `size` (height, width).

    `source` says how often something stands before the person, somebody is near, a box is off.
    """
    camera, scene = where
    yaw = heading + rng.normal(0, 0.25)
    brightness = float(np.exp(rng.normal(0, 0.22)))
    solids, places = _walking(person, camera, yaw, (0.0, 0.0), rng)
    box = around(solids, size, framing, source.cut_off, rng)
    exposure = _Exposure(_background(scene, camera, box, rng) * brightness, box, camera, brightness)
    occluded = 0.0
    hidden: Mask = np.ones(exposure.image.shape[:2], dtype=np.bool_)
    if framing != "empty":
        hits = cast(solids, box.x, box.y)
        _paint(exposure, solids, hits, person)
        hidden = _passer_by(exposure, hits, source.crowded, rng)
        hidden |= _thing(exposure, source.occluded, rng)
        occluded = float((hidden & hits.mask).sum() / max(1, int(hits.mask.sum())))
    pixels = developed(camera, halved(exposure.image), rng)
    return Photograph(pixels, _degrees(yaw), occluded, brightness, _seen(places, box, hidden))


def _seen(places: Floats, box: Box, hidden: Mask) -> Floats:
    """Points N x 3 of the camera frame in the picture: shares of its width and height, visible."""
    shares = np.stack(
        [
            (point - axis[0]) / (axis[1] - axis[0]) / len(axis) + 0.5 / len(axis)
            for point, axis in zip(places.T, (box.x, box.y), strict=False)
        ],
        axis=1,
    )
    inside = ((shares >= 0) & (shares < 1)).all(1)
    column, row = (shares[inside] * hidden.shape[::-1]).astype(np.intp).T
    visible = np.asarray(inside, dtype=np.float64)
    visible[inside] = ~hidden[row, column]
    return np.column_stack([shares, visible])


def _walking(
    person: Person,
    camera: Camera,
    yaw: float,
    spot: tuple[float, float],
    rng: np.random.Generator,
) -> tuple[Solids, Floats]:
    """Solids and joints N x 3 of `person` at a moment of a walk, before the camera.

    `spot` is where, in metres to the right and to the front.
    """
    stands, telephones = rng.random() < _STANDING, rng.random() < _TELEPHONES
    pose = Pose(
        phase=float(rng.uniform(0, 2 * np.pi)),
        stride=0.06 if stands else person.stride * float(rng.uniform(0.7, 1.2)),
        elbow=2.3 if telephones else 0.0,
        lean=float(rng.normal(0.03, 0.03)),
    )
    seen_from = view(camera.pitch, yaw, spot)
    points = np.column_stack([joints(person, pose), np.ones(len(JOINTS))])
    return place(posed(person, pose), seen_from), (points @ seen_from.T)[:, :3]


def view(pitch: float, yaw: float, spot: tuple[float, float]) -> Floats:
    """Body frame to camera frame, 4 x 4: turn, move on the ground, look down."""
    c, s = np.cos(yaw), np.sin(yaw)
    turn = np.array([[c, 0, s, spot[0]], [0, 1, 0, 0], [-s, 0, c, spot[1]], [0, 0, 0, 1]])
    c, s = np.cos(pitch), np.sin(pitch)
    down = np.array([[1, 0, 0, 0], [0, c, -s, 0], [0, s, c, 0], [0, 0, 0, 1]])
    return np.asarray(down @ turn)


def _background(scene: Scene, camera: Camera, box: Box, rng: np.random.Generator) -> Floats:
    """The scene behind a spot where a person stands, and that person's shadow."""
    across, before = float(rng.uniform(0, LENGTH)), float(rng.uniform(0.5, scene.deepest))
    image = scene.window(box.x, box.y, across, before)
    return image * shadow(box, camera, scene.is_ground(box.y, before))[..., None]


def shadow(box: Box, camera: Camera, ground: Mask) -> Floats:
    """Light that is left H x W: a dark patch at the feet and a long one away from the light."""
    x, z = box.x[None, :], -box.y[:, None] / np.sin(camera.pitch)
    away = -np.array([camera.light[0], camera.light[2]])
    away /= np.linalg.norm(away)
    along, aside = x * away[0] + z * away[1], x * away[1] - z * away[0]
    contact = np.exp(-(x**2 + z**2) / 0.06)
    thrown = np.exp(-((along - 0.7) ** 2) / 0.5 - aside**2 / 0.05)
    dark = np.maximum(0.6 * contact, (0.75 - camera.ambient) * thrown)
    return np.asarray(1 - dark * ground[:, None])


def _paint(exposure: _Exposure, solids: Solids, hits: Hits, person: Person) -> None:
    light = exposure.camera, exposure.brightness
    exposure.image[hits.mask] = reflected(person, solids, hits, exposure.box, light)


def reflected(
    person: Person, solids: Solids, hits: Hits, box: Box, light: tuple[Camera, float]
) -> Floats:
    """Light [N, 3] of the N pixels that see the person, of a camera and its brightness."""
    normal, local, material = surface(solids, hits, box.x, box.y)
    reflectance = np.zeros_like(normal)
    for index, fabric in enumerate(person.fabrics):
        mine = material == index
        reflectance[mine] = colours(fabric, local[mine])
    return np.asarray(reflectance * lit(light[0], normal, light[1])[:, None])


def _passer_by(exposure: _Exposure, hits: Hits, share: float, rng: np.random.Generator) -> Mask:
    """In a `share` of images, paint somebody beside, behind or in front; return what they hide."""
    if rng.random() > share:
        return np.zeros_like(hits.mask)
    other = born(rng)
    spot = float(rng.choice([-1, 1]) * rng.uniform(0.25, 0.6)), float(rng.uniform(-1.2, 0.7))
    solids, _ = _walking(other, exposure.camera, float(rng.uniform(-np.pi, np.pi)), spot, rng)
    theirs = cast(solids, exposure.box.x, exposure.box.y)
    nearer = theirs.depth > hits.depth
    visible = Hits(np.where(nearer, theirs.depth, -np.inf), theirs.index)
    _paint(exposure, solids, visible, other)
    return nearer


def _thing(exposure: _Exposure, share: float, rng: np.random.Generator) -> Mask:
    """In a `share` of images, put something before the person; return what it hides."""
    occluder = placed(exposure.box.x, exposure.box.y, share, rng)
    if occluder is None:
        return np.zeros(exposure.image.shape[:2], dtype=np.bool_)
    exposure.image[occluder.mask] = occluder.light[occluder.mask] * exposure.brightness
    return occluder.mask


def halved(image: Floats) -> Floats:
    """Mean of each block of oversampled pixels."""
    height, width, _ = image.shape
    step = OVERSAMPLE
    blocks = image.reshape(height // step, step, width // step, step, 3)
    return np.asarray(blocks.mean(axis=(1, 3)))


def _degrees(angle: float) -> float:
    """Degrees in -180..180."""
    return float((np.degrees(angle) + 180) % 360 - 180)

"""A video: synthetic people who walk past one camera after the other, and their boxes.

For trackers (docs/tracking.md); no stage of the pipeline uses it. A frame shows some metres of a
camera's scene. Everybody crosses each camera's view once, some from the left and some from the
right, so that they meet and hide one another.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reidpipe.runtime.streams import stream
from reidpipe.synthetic.body import Pose, posed
from reidpipe.synthetic.camera import Camera, developed, hung
from reidpipe.synthetic.framing import OVERSAMPLE, Box
from reidpipe.synthetic.person import Person, born
from reidpipe.synthetic.picture import halved, reflected, shadow, view
from reidpipe.synthetic.scene import Scene, painted
from reidpipe.synthetic.solids import Floats, Hits, Solids, cast, place

HEIGHT, WIDTH, SCALE = 144, 320, 36
"""Of a frame in pixels; pixels a metre."""
PER_SECOND = 8
"""Frames."""
LEAST_SEEN = 0.35
"""Share of a person's pixels that must be seen for a detector to find them."""
_ROOM = 0.06
"""Of a box above and below a person, as a share of their height."""
_TALLEST, _MARGIN = 2.2, 0.7
"""Metres around a person's place that may show them."""


@dataclass(frozen=True)
class Detection:
    """Where somebody is in a frame, in pixels from its upper left."""

    person: int
    """From 0; equal numbers are one person, whichever camera sees them."""
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Frame:
    """What one camera sees at one moment."""

    pixels: NDArray[np.uint8]
    """H x W x 3."""
    detections: tuple[Detection, ...]
    """From left to right."""


@dataclass(frozen=True)
class _Walk:
    """How somebody crosses a camera's view."""

    person: int
    looks: Person
    begins: int
    """Frame."""
    speed: float
    """Metres a second; to the left where it is below 0."""
    before: float
    """Metres before the wall."""
    phase: float

    def at(self, frame: int) -> float:
        """Metres along the wall from the left edge of the view."""
        gone = (frame - self.begins) * self.speed / PER_SECOND
        return gone - _MARGIN if self.speed > 0 else WIDTH / SCALE + _MARGIN + gone


def filmed(camera: int, *, people: int, frames: int, seed: int) -> Iterator[Frame]:
    """The frames of one camera; the people of a `seed` are the same before all cameras."""
    hardware = hung(stream(seed, "film", "camera", camera))
    scene = painted(hardware, stream(seed, "film", "scene", camera))
    rng = stream(seed, "film", "walks", camera)
    walks = [_walk(number, seed, scene, frames, rng) for number in range(people)]
    for number in range(frames):
        noise = stream(seed, "film", "frame", camera, number)
        yield _frame(hardware, scene, walks, number, noise)


def _walk(number: int, seed: int, scene: Scene, frames: int, rng: np.random.Generator) -> _Walk:
    """So that everybody crosses the whole view within the film."""
    fast = float(rng.uniform(1.0, 1.6))
    crossing = (WIDTH / SCALE + 2 * _MARGIN) / fast * PER_SECOND
    return _Walk(
        person=number,
        looks=born(stream(seed, "film", "person", number)),
        begins=int(rng.integers(0, max(1, round(frames - crossing)))),
        speed=fast * float(rng.choice([-1, 1])),
        before=float(rng.uniform(0.6, scene.deepest)),
        phase=float(rng.uniform(0, 2 * np.pi)),
    )


def _frame(
    camera: Camera, scene: Scene, walks: list[_Walk], number: int, noise: np.random.Generator
) -> Frame:
    box = _view(camera, scene)
    image = scene.window(box.x, box.y, 0.0, 0.0)
    depth = np.full(image.shape[:2], -np.inf)
    owner = np.full(image.shape[:2], -1)
    whole: dict[int, float] = {}
    present = [walk for walk in walks if -_MARGIN < walk.at(number) < WIDTH / SCALE + _MARGIN]
    for walk in present:
        rows, columns, near = _around(box, camera, walk, number)
        feet = near.y + walk.before * np.sin(camera.pitch)
        own = Box(near.x - walk.at(number), feet)
        ground = scene.is_ground(near.y, 0.0)
        image[rows, columns] *= shadow(own, camera, ground)[..., None]
    for walk in present:
        rows, columns, near = _around(box, camera, walk, number)
        yaw = np.pi / 2 if walk.speed > 0 else -np.pi / 2
        stride = 2 * np.pi * (number - walk.begins) / PER_SECOND
        pose = Pose(phase=walk.phase + stride, stride=walk.looks.stride, elbow=0.0)
        spot = walk.at(number), walk.before
        solids = place(posed(walk.looks, pose), view(camera.pitch, yaw, spot))
        hits = cast(solids, near.x, near.y)
        whole[walk.person] = _size(solids, walk.at(number), near.y)
        nearer = hits.depth > depth[rows, columns]
        visible = Hits(np.where(nearer, hits.depth, -np.inf), hits.index)
        image[rows, columns][nearer] = reflected(walk.looks, solids, visible, near, (camera, 1.0))
        depth[rows, columns][nearer] = hits.depth[nearer]
        owner[rows, columns][nearer] = walk.person
    found = [_detection(owner == walk.person, walk.person, whole) for walk in present]
    seen = sorted((box for box in found if box), key=lambda box: (box.x, box.person))
    return Frame(developed(camera, halved(image), noise), tuple(seen))


def _size(solids: Solids, middle: float, y: Floats) -> float:
    """Pixels of somebody, also beyond the frame's edges, counted on every fourth ray."""
    step = 4 / (SCALE * OVERSAMPLE)
    x = middle + np.arange(-_MARGIN * 1.5, _MARGIN * 1.5, step)
    return 16.0 * float(cast(solids, x, y[::4]).mask.sum())


def _view(camera: Camera, scene: Scene) -> Box:
    """The rays of a frame: from the left edge, and from the heads of the farthest downward."""
    step = 1 / (SCALE * OVERSAMPLE)
    lowest = -scene.deepest * np.sin(camera.pitch) - 0.2
    x = np.asarray((np.arange(WIDTH * OVERSAMPLE) + 0.5) * step, dtype=np.float64)
    y = lowest + (np.arange(HEIGHT * OVERSAMPLE)[::-1] + 0.5) * step
    return Box(x, np.asarray(y, dtype=np.float64))


def _around(box: Box, camera: Camera, walk: _Walk, number: int) -> tuple[slice, slice, Box]:
    """The part of the frame in which somebody may be."""
    feet = -walk.before * np.sin(camera.pitch)
    columns = np.flatnonzero(abs(box.x - walk.at(number)) < _MARGIN * 1.5)
    rows = np.flatnonzero((box.y > feet - _MARGIN) & (box.y < feet + _TALLEST))
    across, down = slice(columns[0], columns[-1] + 1), slice(rows[0], rows[-1] + 1)
    return down, across, Box(box.x[across], box.y[down])


def _detection(mask: NDArray[np.bool_], person: int, whole: dict[int, float]) -> Detection | None:
    """The box around what is seen of somebody; None of whom too little is seen.

    A little larger, and at least half as wide as it is high, as the benchmarks' boxes are.
    """
    if mask.sum() < max(1, LEAST_SEEN * whole[person]):
        return None
    rows, columns = (np.flatnonzero(mask.any(axis)) / OVERSAMPLE for axis in (1, 0))
    high = (rows[-1] - rows[0]) * (1 + 2 * _ROOM)
    wide = max(columns[-1] - columns[0], high / 2)
    middle, centre = (rows[-1] + rows[0]) / 2, (columns[-1] + columns[0]) / 2
    top, left = max(0, round(middle - high / 2)), max(0, round(centre - wide / 2))
    bottom, right = round(middle + high / 2) + 1, round(centre + wide / 2) + 1
    return Detection(person, left, top, min(right, WIDTH) - left, min(bottom, HEIGHT) - top)

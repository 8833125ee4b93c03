"""What stands behind the people of one camera: a ground, a wall, and what hangs on it.

A scene is painted once, as a wide picture; a photograph shows the window of it in which the person
stands. Under parallel projection the ground `d` metres before the wall lies `d sin(pitch)` below
it, and a height `h` on the wall `h cos(pitch)` above.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reidpipe.synthetic.camera import Camera
from reidpipe.synthetic.solids import Floats
from reidpipe.synthetic.surfaces import ground, wall

LENGTH = 16.0
"""Metres of wall; beyond them the scene repeats."""
_SCALE = 40
"""Pixels a metre."""
_ABOVE, _BELOW = 4.0, 5.0
_DEEPEST = 7.0


@dataclass(frozen=True)
class Scene:
    """Linear light H x W x 3; the wall meets the ground in row `_ABOVE * _SCALE`."""

    picture: Floats
    pitch: float
    deepest: float
    """Metres before the wall within which people walk."""

    def window(self, x: Floats, y: Floats, across: float, before: float) -> Floats:
        """Background of the grid `y` (H) by `x` (W), metres from the feet of a person.

        The person stands `across` metres along the wall, `before` metres before it.
        """
        height, width, _ = self.picture.shape
        above = y - before * np.sin(self.pitch)
        rows = ((_ABOVE - above) * _SCALE).astype(np.intp).clip(0, height - 1)
        columns = ((x + across) * _SCALE).astype(np.intp) % width
        return np.asarray(self.picture[rows[:, None], columns[None, :]])

    def is_ground(self, y: Floats, before: float) -> NDArray[np.bool_]:
        """Which rows `y` show the ground."""
        return np.asarray(y < before * np.sin(self.pitch))


def painted(camera: Camera, rng: np.random.Generator) -> Scene:
    """Draw the scene of `camera`."""
    x = np.arange(0, LENGTH, 1 / _SCALE)[None, :]
    height = np.arange(_ABOVE, 0, -1 / _SCALE)[:, None] / np.cos(camera.pitch)
    depth = np.arange(0, _BELOW, 1 / _SCALE)[:, None] / np.sin(camera.pitch)
    picture = np.concatenate([wall(x, height, rng), ground(x, depth, rng)])
    light = 0.75 * (camera.ambient + 0.5 * (1 - camera.ambient))
    # The lowest row of the picture is the front; half a metre is kept for the feet.
    deepest = min(_DEEPEST, (_BELOW - 0.5) / np.sin(camera.pitch))
    return Scene(picture * light, camera.pitch, float(deepest))

"""Ray casting of ellipsoids and cones under parallel projection.

Along a viewing ray a quadric's depth is `-b + sqrt(b^2 - c)`, where b is linear and b^2 - c is
quadratic in the picture's coordinates. So each solid is six numbers, and the whole picture is a few
array operations. These are element-wise on purpose: unlike a matrix product, their result does not
depend on the number of threads.

Camera frame, metres: x right, y up, z towards the camera.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_Singles = NDArray[np.float32]
Point = tuple[float, float, float]

_EDGE_ON = 1e-4
_OVERLAP = 0.02
"""Cones run on by this share of their length, so that no ray slips between two of them."""


class Part(NamedTuple):
    """A solid between two points: an ellipsoid with its poles there, or a truncated cone."""

    material: int
    start: Point
    end: Point
    radius: float
    end_radius: float | None = None
    """Of a cone; None makes an ellipsoid."""
    flat: float = 1.0
    """Radius front to back over radius left to right."""
    offset: float = 0.0
    """Added to the place along the part, so that a pattern runs on from its neighbour."""


@dataclass(frozen=True)
class Solids:
    """n parts in the camera frame."""

    quadrics: Floats
    """n x 4 x 4, divided by their zz entry; a point p on the surface has p' Q p = 0."""
    inverses: Floats
    """n x 4 x 4: camera frame to the part's own frame, where radius and half length are 1."""
    spans: Floats
    """n x 2: where the part begins and ends along its own axis."""
    scales: Floats
    """n x 3: metres in one unit of the part's own frame."""
    offsets: Floats
    """n: metres along each part at its origin."""
    materials: NDArray[np.intp]


@dataclass(frozen=True)
class Hits:
    """What each pixel sees: depth (-inf where nothing) and the solid's index, both H x W."""

    depth: Floats
    index: NDArray[np.intp]

    @property
    def mask(self) -> NDArray[np.bool_]:
        return np.isfinite(self.depth)


def place(parts: list[Part], view: Floats) -> Solids:
    """Put `parts` before the camera by the rigid 4 x 4 transform `view`."""
    start = np.array([part.start for part in parts])
    axis = np.array([part.end for part in parts]) - start
    radius = np.array([part.radius for part in parts])
    end_radius = np.array([-1.0 if p.end_radius is None else p.end_radius for p in parts])
    flat = np.array([part.flat for part in parts])
    is_round = end_radius < 0
    length = np.linalg.norm(axis, axis=1)

    origin = np.where(is_round[:, None], start + axis / 2, start)
    half = np.where(is_round, length / 2, length)
    scales = np.stack([radius, half, radius * flat], axis=1)
    frames = np.tile(np.eye(4), (len(parts), 1, 1))
    frames[:, :3, :3] = _directions(axis / length[:, None]) * scales[:, None, :]
    frames[:, :3, 3] = origin
    inverses = np.asarray(np.linalg.inv(view @ frames), dtype=np.float64)
    quadrics = inverses.transpose(0, 2, 1) @ _canonical(is_round, end_radius / radius) @ inverses
    spans = np.where(is_round[:, None], [-2.0, 2.0], [-_OVERLAP, 1 + _OVERLAP])
    # A cone seen along its axis has no front: it is left out, its neighbours cover it.
    seen = quadrics[:, 2, 2] > _EDGE_ON
    return Solids(
        quadrics=quadrics[seen] / quadrics[seen, 2, 2, None, None],
        inverses=inverses[seen],
        spans=spans[seen],
        scales=scales[seen],
        offsets=np.array([part.offset for part in parts])[seen],
        materials=np.array([part.material for part in parts], dtype=np.intp)[seen],
    )


def _directions(axis: Floats) -> Floats:
    """Columns x, y, z: y along the part, x as far to the body's side as y allows."""
    side = np.array([1.0, 0.0, 0.0]) - axis[:, :1] * axis
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    return np.stack([side, axis, np.cross(side, axis)], axis=2)


def _canonical(is_round: NDArray[np.bool_], ratio: Floats) -> Floats:
    """x^2 + y^2 + z^2 = 1, or x^2 + z^2 = (1 + (ratio - 1) y)^2."""
    slope = ratio - 1
    quadric = np.zeros((len(ratio), 4, 4))
    quadric[:, 0, 0] = quadric[:, 2, 2] = 1.0
    quadric[:, 3, 3] = -1.0
    quadric[:, 1, 1] = np.where(is_round, 1.0, -slope * slope)
    quadric[:, 1, 3] = quadric[:, 3, 1] = np.where(is_round, 0.0, -slope)
    return quadric


def cast(solids: Solids, x: Floats, y: Floats) -> Hits:
    """Nearest solid at each point of the grid `y` (H) by `x` (W), metres."""
    q = solids.quadrics.astype(np.float32)[..., None, None]
    column, row = x.astype(np.float32)[None, None, :], y.astype(np.float32)[None, :, None]
    b = _linear(q[:, 2, 0], q[:, 2, 1], q[:, 2, 3], column, row)
    c = (q[:, 0, 0] * column + 2 * (q[:, 0, 1] * row + q[:, 0, 3])) * column
    c += (q[:, 1, 1] * row + 2 * q[:, 1, 3]) * row + q[:, 3, 3]
    inside = b * b
    inside -= c
    with np.errstate(invalid="ignore"):
        z = np.sqrt(inside, out=inside)
    z -= b
    m = solids.inverses[:, 1].astype(np.float32)[..., None, None]
    along = _linear(m[:, 0], m[:, 1], m[:, 3], column, row)
    along += m[:, 2] * z
    low, high = solids.spans.astype(np.float32).T[..., None, None]
    # Comparisons with NaN are false: rays that miss fail here too.
    hit = (along >= low) & (along <= high)
    z[~hit] = -np.inf
    index = z.argmax(axis=0)
    depth = np.take_along_axis(z, index[None], axis=0)[0]
    return Hits(depth.astype(np.float64), index)


def _linear(a: _Singles, b: _Singles, c: _Singles, x: _Singles, y: _Singles) -> _Singles:
    return a * x + (b * y + c)


def surface(
    solids: Solids, hits: Hits, x: Floats, y: Floats
) -> tuple[Floats, Floats, NDArray[np.intp]]:
    """Unit normals N x 3, place on the part N x 3 (metres: side, along, front) and materials N.

    N is the number of pixels in `hits.mask`, in row order.
    """
    rows, columns = np.nonzero(hits.mask)
    which = hits.index[rows, columns]
    point = np.stack([x[columns], y[rows], hits.depth[rows, columns], np.ones(len(rows))], axis=1)
    normal = np.einsum("nij,nj->ni", solids.quadrics[which, :3], point)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    local = np.einsum("nij,nj->ni", solids.inverses[which, :3], point) * solids.scales[which]
    local[:, 1] += solids.offsets[which]
    return normal, local, solids.materials[which]

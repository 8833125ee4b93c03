"""Ray casting against a slow march along each ray."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from reidpipe.synthetic.solids import Floats, Part, Point, cast, place, surface

X, Y = np.linspace(-1, 1, 23), np.linspace(1, -1, 31)
STEP = 0.002


def inside(part: Part, points: Floats) -> NDArray[np.bool_]:
    """Which points N x 3 an upright part contains, from its definition."""
    low, high = part.start[1], part.end[1]
    share = (points[:, 1] - low) / (high - low)
    across = np.hypot(points[:, 0] - part.start[0], (points[:, 2] - part.start[2]) / part.flat)
    if part.end_radius is None:
        radius = part.radius * np.sqrt(np.clip(1 - (2 * share - 1) ** 2, 0, None))
    else:
        radius = part.radius + share * (part.end_radius - part.radius)
    return np.asarray((across <= radius) & (share >= 0) & (share <= 1))


def marched(part: Part) -> Floats:
    """Depth of the first point inside `part` on the way from the camera, -inf where none."""
    depths = np.arange(1.5, -1.5, -STEP)
    found = np.full((len(Y), len(X)), -np.inf)
    for row, y in enumerate(Y):
        for column, x in enumerate(X):
            ray = np.stack([np.full_like(depths, x), np.full_like(depths, y), depths], axis=1)
            hits = np.flatnonzero(inside(part, ray))
            found[row, column] = depths[hits[0]] if len(hits) else -np.inf
    return found


@pytest.mark.parametrize(
    "part",
    [
        Part(0, (0.1, -0.7, 0.2), (0.1, 0.8, 0.2), 0.5, flat=0.6),
        Part(0, (0.0, -0.7, 0.0), (0.0, 0.8, 0.0), 0.6, 0.3, flat=0.7),
        Part(0, (-0.2, -0.7, 0.1), (-0.2, 0.7, 0.1), 0.2, 0.6),
    ],
    ids=["ellipsoid", "cone", "upturned"],
)
def test_depth_is_where_a_march_along_the_ray_enters(part: Part) -> None:
    hits = cast(place([part], np.eye(4)), X, Y)
    expected = marched(part)
    both = hits.mask & np.isfinite(expected)
    # Rays that graze the silhouette, or the overlap of a cone's ends, may differ.
    assert (hits.mask != np.isfinite(expected)).mean() < 0.04
    assert both.sum() > 100
    np.testing.assert_allclose(hits.depth[both], expected[both], atol=2 * STEP)


def test_the_nearer_solid_hides_the_other() -> None:
    far = Part(3, (0.0, -0.5, -0.5), (0.0, 0.5, -0.5), 0.5)
    near = Part(5, (0.0, -0.2, 0.5), (0.0, 0.2, 0.5), 0.2)
    solids = place([far, near], np.eye(4))
    hits = cast(solids, np.array([0.0, 0.4]), np.array([0.0]))
    _, _, materials = surface(solids, hits, np.array([0.0, 0.4]), np.array([0.0]))
    assert materials.tolist() == [5, 3]


def test_normals_of_a_ball_point_away_from_its_centre() -> None:
    solids = place([Part(0, (0.0, -0.9, 0.0), (0.0, 0.9, 0.0), 0.9)], np.eye(4))
    hits = cast(solids, X, Y)
    normal, local, _ = surface(solids, hits, X, Y)
    rows, columns = np.nonzero(hits.mask)
    points = np.stack([X[columns], Y[rows], hits.depth[rows, columns]], axis=1)
    np.testing.assert_allclose(normal, points / 0.9, atol=1e-5)
    np.testing.assert_allclose(local, points, atol=1e-5)


def test_the_offset_continues_a_pattern_from_the_neighbour() -> None:
    lower = Part(0, (0.0, -0.5, 0.0), (0.0, 0.0, 0.0), 0.3, 0.3, offset=-0.5)
    upper = Part(0, (0.0, 0.0, 0.0), (0.0, 0.5, 0.0), 0.3, 0.3)
    solids = place([lower, upper], np.eye(4))
    y = np.linspace(0.45, -0.45, 9)
    _, local, _ = surface(solids, cast(solids, np.zeros(1), y), np.zeros(1), y)
    np.testing.assert_allclose(local[:, 1], y, atol=1e-5)


coordinate = st.floats(-0.4, 0.4)
points = st.tuples(coordinate, coordinate, coordinate)


@settings(max_examples=40, deadline=None)
@given(points, points, st.floats(0.05, 0.3), st.floats(0.05, 0.3))
def test_hits_lie_on_the_quadric(start: Point, end: Point, radius: float, other: float) -> None:
    if np.linalg.norm(np.subtract(end, start)[1:]) < 0.1:
        return
    for part in (Part(0, start, end, radius), Part(0, start, end, radius, other)):
        solids = place([part], np.eye(4))
        if len(solids.materials) == 0:
            continue
        hits = cast(solids, X, Y)
        rows, columns = np.nonzero(hits.mask)
        at = np.stack([X[columns], Y[rows], hits.depth[rows, columns], np.ones(len(rows))], axis=1)
        unit = at @ solids.inverses[0].T
        across = unit[:, 0] ** 2 + unit[:, 2] ** 2
        if part.end_radius is None:
            np.testing.assert_allclose(across + unit[:, 1] ** 2, 1, atol=0.02)
        else:
            slope = other / radius - 1
            np.testing.assert_allclose(across, (1 + slope * unit[:, 1]) ** 2, atol=0.05)

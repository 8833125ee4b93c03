"""Bodies, clothes, light and boxes of the synthetic people."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from reidpipe.formats.settings.data import SyntheticSource
from reidpipe.runtime.streams import stream
from reidpipe.synthetic.body import Pose, posed
from reidpipe.synthetic.camera import Camera, developed, hung, lit
from reidpipe.synthetic.fabric import Fabric, colours, dyed
from reidpipe.synthetic.framing import around
from reidpipe.synthetic.occluder import placed
from reidpipe.synthetic.person import BAGS, HAIRS, LEGWEAR, Material, Person, born
from reidpipe.synthetic.picture import Photograph, photographed, view
from reidpipe.synthetic.scene import painted
from reidpipe.synthetic.solids import Solids, cast, place, surface

X, Y = np.linspace(-0.6, 0.6, 60), np.linspace(2.0, -0.2, 110)
STILL = Pose(phase=0.0, stride=0.0, elbow=0.0)
FRONT, BACK = 0.0, np.pi
TO_LEFT, TO_RIGHT = -np.pi / 2, np.pi / 2
"""Of the picture; who walks to its right shows the camera their own right side."""


def person(**looks: object) -> Person:
    plain = {"height": 1.7, "width": 1.0, "hair": "short", "bag": "none", "legwear": "trousers"}
    return replace(born(stream(0, "somebody")), **(plain | looks))  # type: ignore[arg-type]


def camera(**changes: object) -> Camera:
    return replace(hung(stream(0, "camera")), **changes)  # type: ignore[arg-type]


def standing(who: Person, yaw: float, pose: Pose = STILL) -> Solids:
    return place(posed(who, pose), view(0.1, yaw, (0.0, 0.0)))


def seen(who: Person, yaw: float, material: Material) -> int:
    solids = standing(who, yaw)
    return int((surface(solids, cast(solids, X, Y), X, Y)[2] == material).sum())


@pytest.mark.parametrize(
    ("bag", "hidden_from", "shown_from"),
    [("backpack", FRONT, BACK), ("left", TO_RIGHT, TO_LEFT), ("right", TO_LEFT, TO_RIGHT)],
)
def test_a_bag_is_seen_from_one_side_only(bag: str, hidden_from: float, shown_from: float) -> None:
    who = person(bag=bag)
    assert seen(who, shown_from, Material.BAG) > 30
    assert seen(who, hidden_from, Material.BAG) < seen(who, shown_from, Material.BAG) / 10


def test_the_face_is_seen_from_the_front() -> None:
    who = person(long_sleeves=True)
    assert seen(who, FRONT, Material.SKIN) > 2 * seen(who, BACK, Material.SKIN)


@pytest.mark.parametrize("phase", np.linspace(0, 6, 7))
@pytest.mark.parametrize("stride", [0.0, 0.3, 0.6])
def test_a_walker_stands_on_the_ground_and_is_as_tall_as_said(phase: float, stride: float) -> None:
    who = person(height=1.8, hair="bald")
    solids = place(posed(who, Pose(phase, stride, 0.0)), np.eye(4))
    y = np.linspace(2, -0.3, 461)
    rows = np.flatnonzero(cast(solids, X, y).mask.any(axis=1))
    assert y[rows[-1]] == pytest.approx(0, abs=0.05)
    # Legs apart lower the body; bent ones a little less.
    assert 1.8 * (1 - 0.5 * (1 - np.cos(stride))) - 0.08 < y[rows[0]] < 1.82


def test_a_stride_sets_the_feet_apart_and_swings_arms_against_legs() -> None:
    parts = posed(person(), Pose(np.pi / 2, 0.4, 0.0))
    shoes = [part for part in parts if part.material == Material.SHOE]
    assert abs(shoes[0].start[2] - shoes[1].start[2]) > 0.4
    # Minus x steps forward first; its arm goes back.
    hands = [p for p in parts if p.material == Material.SKIN and abs(p.start[0]) > 0.1]
    by_side = {part.start[0] > 0: part.start[2] for part in hands}
    assert shoes[0].start[0] < 0 < shoes[0].start[2]
    assert by_side[False] < by_side[True]


@pytest.mark.parametrize("hair", HAIRS)
@pytest.mark.parametrize("legwear", LEGWEAR)
@pytest.mark.parametrize("bag", BAGS)
def test_every_body_is_one_piece(hair: str, legwear: str, bag: str) -> None:
    solids = standing(person(hair=hair, legwear=legwear, bag=bag), 0.7, Pose(1.0, 0.4, 0.0))
    rows = np.asarray(cast(solids, X, Y).mask.any(axis=1))
    first, last = np.flatnonzero(rows)[[0, -1]]
    assert rows[first : last + 1].all()


def test_stripes_follow_the_height_and_prints_the_side() -> None:
    black, white = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    place_at = np.array([[0.0, 0.01, 0.1], [0.0, 0.09, 0.1], [0.0, 0.01, -0.1]])
    stripes = colours(Fabric(black, white, "stripes", period=0.16), place_at)[:, 0]
    assert stripes.tolist() == [1, 0, 1]
    logo = colours(Fabric(black, white, "logo", period=0.16, height=0.01), place_at)[:, 0]
    assert logo.tolist() == [1, 0, 0]
    back = colours(Fabric(black, white, "back", period=0.16, height=0.01), place_at)[:, 0]
    assert back.tolist() == [0, 0, 1]


def test_a_fabric_shows_its_two_colours_and_no_other() -> None:
    for index in range(60):
        fabric = dyed(stream(index, "fabric"), patterned=1.0)
        spots = stream(index, "spots").uniform(-0.25, 0.25, (500, 3))
        found = {tuple(map(float, colour)) for colour in colours(fabric, spots)}
        assert found == {fabric.colour, fabric.second}, fabric.pattern


def test_what_faces_the_light_is_brighter() -> None:
    sunny = camera(light=(0.6, 0.0, 0.8), ambient=0.4)
    toward, away = lit(sunny, np.array([[0.6, 0.0, 0.8], [-0.6, 0.0, -0.8]]), 1.0)
    assert toward == pytest.approx(away + 0.9)
    assert lit(sunny, np.array([[0.6, 0.0, 0.8]]), 2.0) == pytest.approx(2 * toward)


def test_cameras_differ_in_colour() -> None:
    grey = np.full((8, 8, 3), 0.2)
    plain = camera(noise=0.0, haze=0.0, saturation=1.0, gain=(1.0, 1.0, 1.0))
    warm = replace(plain, gain=(1.4, 1.0, 0.7))
    assert np.ptp(developed(plain, grey, stream(0, "noise")).reshape(-1, 3), axis=1).max() == 0
    red, green, blue = developed(warm, grey, stream(0, "noise"))[0, 0].astype(int)
    assert red > green > blue


@pytest.mark.parametrize("size", [(64, 32), (73, 31)])
def test_good_boxes_hold_the_person(size: tuple[int, int]) -> None:
    cut = 0
    for index in range(60):
        solids = standing(person(), FRONT)
        box = around(solids, size, "good", 0.05, stream(index, "box"))
        assert (len(box.y), len(box.x)) == (2 * size[0], 2 * size[1])
        whole = cast(solids, X, Y).mask.sum() * (X[1] - X[0]) * (Y[0] - Y[1])
        shown = cast(solids, box.x, box.y).mask.sum()
        cut += shown * (box.x[1] - box.x[0]) * (box.y[0] - box.y[1]) < 0.9 * whole
    assert cut <= 9


def usual(**changes: Any) -> SyntheticSource:
    return SyntheticSource(layout="market1501", cameras=2, train_ids=1, test_ids=1, **changes)


def sixty(source: SyntheticSource) -> list[Photograph]:
    where = camera(), painted(camera(), stream(0, "scene"))
    return [
        photographed(
            person(), where, 0.0, source, size=(64, 32), framing="good", rng=stream(i, "image")
        )
        for i in range(60)
    ]


def test_photographs_know_what_is_hidden() -> None:
    shots = sixty(usual())
    hidden = np.array([shot.occluded for shot in shots])
    assert ((hidden >= 0) & (hidden < 1)).all()
    assert 0 < (hidden > 0).mean() < 0.5
    assert all(shot.pixels.shape == (64, 32, 3) for shot in shots)
    assert max(abs(shot.yaw) for shot in shots) < 60


def test_an_empty_box_shows_nobody() -> None:
    where = camera(), painted(camera(), stream(0, "scene"))
    pictures = [
        photographed(
            who, where, 0.0, usual(), size=(64, 32), framing="empty", rng=stream(1, "image")
        ).pixels
        for who in (person(), replace(person(), fabrics=born(stream(9, "other")).fabrics))
    ]
    np.testing.assert_array_equal(pictures[0], pictures[1])


def test_how_often_people_are_hidden_is_an_option() -> None:
    never = [shot.occluded for shot in sixty(usual(occluded=0, crowded=0))]
    things = np.array([shot.occluded for shot in sixty(usual(occluded=1, crowded=0))])
    people = np.array([shot.occluded for shot in sixty(usual(occluded=0, crowded=1))])
    assert not any(never)
    # A thing may stand beside the person, and somebody may stand behind.
    assert (things > 0).mean() > 0.7
    assert 0.2 < (people > 0).mean() < 0.8


def test_things_stand_before_some_people() -> None:
    things = [placed(X, Y, 0.1, stream(index, "thing")) for index in range(200)]
    found = [thing for thing in things if thing is not None]
    assert 5 < len(found) < 50
    assert all(thing.mask.shape == (len(Y), len(X)) and thing.mask.any() for thing in found)

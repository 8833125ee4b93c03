"""Joints of the synthetic people: they lie in the solids, and in the picture where these are."""

import numpy as np
import pytest

from reidpipe.formats.pose import JOINTS
from reidpipe.formats.settings.data import SyntheticSource
from reidpipe.runtime.streams import stream
from reidpipe.synthetic import body, picture, solids
from reidpipe.synthetic.framing import Box
from reidpipe.synthetic.generation import World, posed_people
from reidpipe.synthetic.person import born
from reidpipe.synthetic.plan import planned

POSES = [
    body.Pose(phase=phase, stride=0.5, elbow=elbow, lean=lean)
    for phase, elbow, lean in ((0.0, 0.0, 0.0), (1.3, 2.3, 0.1), (4.0, 0.0, -0.05))
]


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("number", range(3))
def test_every_joint_is_within_a_solid(pose: body.Pose, number: int) -> None:
    person = born(stream(0, "joints", number))
    placed = solids.place(body.posed(person, pose), np.eye(4))
    joints = dict(zip(JOINTS, body.joints(person, pose), strict=True))
    for name, joint in joints.items():
        near = np.linspace(-0.015, 0.015, 7)  # an ankle is the end of a shin
        hits = solids.cast(placed, joint[0] + near, joint[1] + near)
        assert hits.mask.any(), name
    assert joints["crown"][1] > joints["neck"][1] > joints["left hip"][1]
    assert joints["left hip"][0] > joints["right hip"][0], "left is +x of who faces us"
    for side in ("left", "right"):
        thigh, shin = (
            np.linalg.norm(np.subtract(joints[f"{side} {a}"], joints[f"{side} {b}"]))
            for a, b in (("hip", "knee"), ("knee", "ankle"))
        )
        assert thigh == pytest.approx(body.THIGH * person.height)
        assert shin == pytest.approx(body.SHIN * person.height)


def test_places_become_shares_of_the_picture() -> None:
    box = Box(np.array([-0.3, -0.1, 0.1, 0.3]), np.array([0.7, 0.5, 0.3, 0.1, -0.1, -0.3]))
    hidden = np.zeros((6, 4), dtype=np.bool_)
    hidden[0, 3] = True
    points = np.array([[-0.3, 0.7, 9], [0, 0.2, 9], [0.3, 0.7, 9], [0.41, 0.2, 9], [0, -0.41, 9]])
    found = picture._seen(points, box, hidden)
    expected = [
        [0.125, 1 / 12, 1],
        [0.5, 0.5, 1],
        [0.875, 1 / 12, 0],  # behind something
        [1.0125, 0.5, 0],  # beside the picture
        [0.5, 1.21 / 1.2, 0],  # below it
    ]
    np.testing.assert_allclose(found, expected)


def source(**changes: float) -> SyntheticSource:
    plain = {"occluded": 0.0, "crowded": 0.0, "cut_off": 0.0}
    return SyntheticSource.model_validate(
        {"layout": "market1501", "cameras": 2, "train_ids": 4, "test_ids": 1, **plain, **changes}
    )


def test_without_an_occluder_nearly_all_are_seen_and_with_one_fewer() -> None:
    _, clear = posed_people(source())
    _, hidden = posed_people(source(occluded=1.0))
    assert clear.shape == hidden.shape
    assert clear.shape[1:] == (14, 3)
    assert clear[..., 2].mean() > 0.95
    assert hidden[..., 2].mean() < clear[..., 2].mean() - 0.05


def test_the_photographs_are_those_of_the_data_set() -> None:
    jpegs, joints = posed_people(source())
    shots = [shot for shot in planned(source()) if shot.subset == "train"]
    assert len(jpegs) == len(shots)
    np.testing.assert_array_equal(joints[3], World(source()).photograph(shots[3]).joints)
    nobody = [shot for shot in planned(source(distractors=1)) if shot.framing == "empty"]
    empty = World(source(distractors=1)).photograph(nobody[0])
    assert not empty.joints[:, 2].any()

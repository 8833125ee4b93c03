"""Maps of joints and parts: where they lie, what is not seen, and what a mirror does."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reidpipe.files import digest
from reidpipe.formats import weights
from reidpipe.formats.pose import JOINTS, LIMBS, RIGID
from reidpipe.layers.trunks import trunk_state
from reidpipe.systems.aacn import MAPS
from reidpipe.training import pose
from tests.systems.small import network
from tests.training.process import MACHINE

SIZE = 24, 12
NAMES = [*JOINTS, *RIGID, *LIMBS]
PLACES = {
    "crown": (0.5, 0.05),
    "neck": (0.5, 0.2),
    "hip": (0.1, 0.5),
    "knee": (0.1, 0.72),
    "ankle": (0.1, 0.94),
    "shoulder": (0.2, 0.22),
    "elbow": (0.3, 0.38),
    "wrist": (0.32, 0.52),
}
"""Of the joints of both sides, the distance from the middle."""


def somebody(**changes: tuple[float, float, float]) -> torch.Tensor:
    """Joints [1, 14, 3] of a person who fills the image, facing us; sides are their own."""
    found = []
    for name in JOINTS:
        side, _, kind = name.rpartition(" ")
        x, y = PLACES[kind]
        if side:
            x = 0.5 - x if side == "right" else 0.5 + x
        found.append(changes.get(name.replace(" ", "_"), (x, y, 1.0)))
    return torch.tensor([found], dtype=torch.float32)


def by_name(joints: torch.Tensor) -> dict[str, torch.Tensor]:
    found = pose.maps(joints, SIZE)
    assert found.shape == (len(joints), MAPS, *SIZE)
    return dict(zip(NAMES, found[0], strict=True))


def test_a_joints_map_is_largest_where_the_joint_is() -> None:
    maps = by_name(somebody())
    for name, (x, y, _) in zip(JOINTS, somebody()[0].tolist(), strict=True):
        row, column = np.unravel_index(int(maps[name].argmax()), SIZE)
        assert abs((row + 0.5) / SIZE[0] - y) <= 0.51 / SIZE[0], name
        assert abs((column + 0.5) / SIZE[1] - x) <= 0.51 / SIZE[1], name
        assert 0.3 < maps[name].max() <= 1


@pytest.mark.parametrize("size", [(24, 12), (24, 24), (48, 16)])
def test_a_joints_map_is_as_wide_as_high(size: tuple[int, int]) -> None:
    """In cells, which are square, whatever the image's aspect: a normal curve of their distance."""
    height, width = size
    row, column = height // 2, width // 2
    x, y = (column + 0.5) / width, (row + 0.5) / height
    joints = somebody(left_wrist=(x, y, 1.0))
    found = pose.maps(joints, size)[0, JOINTS.index("left wrist")]
    deviation = max(pose.SPREAD * height, pose.LEAST)
    for down, right in ((0, 0), (2, 0), (0, 2), (-1, 2), (-2, -1)):
        expected = np.exp(-(down**2 + right**2) / (2 * deviation**2))
        assert found[row + down, column + right].item() == pytest.approx(expected, rel=1e-4)


def test_rigid_parts_are_rectangles_and_limbs_strips() -> None:
    maps = by_name(somebody())
    trunk = maps["trunk"].nonzero()
    low, high = trunk.amin(0), trunk.amax(0)
    assert low.tolist() == [5, 3]
    assert high.tolist() == [12, 8]
    assert maps["trunk"].sum() == (high - low + 1).prod(), "nothing is left out of it"
    shin = maps["left shin"]
    assert shin[int(0.83 * 24), int(0.6 * 12)] == 1
    assert shin[:15].sum() == 0, "it ends at the knee"
    assert shin[:, :6].sum() == 0, "it is the person's left, on our right"
    assert shin.sum() < 24
    for name in (*RIGID, *LIMBS):
        assert set(maps[name].flatten().tolist()) <= {0.0, 1.0}
        assert maps[name].any(), name


@pytest.mark.parametrize("joint", ["left elbow", "crown", "right hip"])
def test_what_is_not_seen_is_nowhere(joint: str) -> None:
    x, y, _ = dict(zip(JOINTS, somebody()[0].tolist(), strict=True))[joint]
    hidden = by_name(somebody(**{joint.replace(" ", "_"): (x, y, 0.0)}))
    whole = by_name(somebody())
    parts = {**RIGID, **LIMBS}
    for name in NAMES:
        concerned = name == joint or joint in parts.get(name, ())
        assert bool(hidden[name].any()) != concerned, name
        if not concerned:
            assert torch.equal(hidden[name], whole[name])


def test_in_a_mirror_right_is_left() -> None:
    joints = torch.cat([somebody(left_elbow=(0.9, 0.3, 1.0)), somebody(crown=(0.4, 0.1, 0.0))])
    images = torch.arange(2 * 3 * 4 * 2, dtype=torch.uint8).reshape(2, 3, 4, 2)
    pictures, found = pose.mirror(images, joints, np.array([True, False]))
    assert torch.equal(pictures[0], images[0].flip(2))
    assert torch.equal(pictures[1], images[1])
    assert torch.equal(found[1], joints[1])
    named = dict(zip(JOINTS, found[0].tolist(), strict=True))
    assert named["right elbow"] == pytest.approx([0.1, 0.3, 1.0])
    assert named["crown"] == pytest.approx([0.5, 0.05, 1.0])
    twice = pose.mirror(pictures, found, np.array([True, False]))
    assert torch.equal(twice[0], images)
    torch.testing.assert_close(twice[1], joints)


def test_the_error_is_a_mean_per_stage() -> None:
    found = [torch.zeros(2, 3, 4, 2), torch.full((2, 3, 4, 2), 3.0)]
    assert pose.error(found, torch.ones(2, 3, 4, 2)) == 1 + 4


def learnt(trunk: Mapping[str, torch.Tensor], out: Path) -> str:
    weights.save(out.with_suffix(".start"), trunk, {})
    entry: dict[str, Any] = {
        "network": {"backbone": "resnet10_x0_5", "pose_width": 8},
        "image_size": [32, 16],
        "machine": MACHINE.model_dump(),
        "training": {
            "identities": 2,
            "cameras": 2,
            "height": 32,
            "seed": 5,
            "epochs": 2,
            "batch_size": 4,
        },
    }
    pose.pose(entry, out.with_suffix(".start"), out)
    return digest(out)


def test_a_pose_branch_stands_beside_the_trunk_that_it_began_with(tmp_path: Path) -> None:
    trunk = trunk_state(network("aacn").backbone)
    first = learnt(trunk, tmp_path / "a")
    assert learnt(trunk, tmp_path / "b") == first
    tensors, _ = weights.load(tmp_path / "a")
    for name, value in trunk.items():
        assert torch.equal(tensors[name], value)
    network("aacn").start_from(tensors)
    early = tensors["pose.early.conv1.weight"]
    assert not torch.equal(early, trunk["conv1.weight"]), "it has learnt"
    assert (early - trunk["conv1.weight"]).abs().max() < 0.1, "from there"
    assert learnt({}, tmp_path / "c") != first
    network("aacn").start_from(weights.load(tmp_path / "c")[0])

from pathlib import Path

import pytest

from reidpipe.datasets import market1501
from reidpipe.datasets.reading import Record
from reidpipe.datasets.sources.listing import Tree
from reidpipe.errors import Problems, UserError


def tree(*names: str) -> Tree:
    return Tree(Path("set.zip"), dict.fromkeys(names, 1), lambda name: b"")


@pytest.mark.parametrize(
    ("member", "record"),
    [
        ("bounding_box_train/0002_c1s1_000451_03.jpg", (2, 1, "train")),
        ("query/1501_c6s4_001902_00.jpg", (1501, 6, "query")),
        ("bounding_box_test/0000_c2s3_081671_05.jpg", (0, 2, "gallery")),
        ("query/12345678_c17.PNG", (12345678, 17, "query")),
        ("bounding_box_train/5_c300_anything at all.jpeg", (5, 300, "train")),
    ],
)
def test_the_name_tells_identity_and_camera(member: str, record: tuple[int, int, str]) -> None:
    problems = Problems()
    reading = market1501.read(tree(member), problems)
    assert str(problems) == ""
    assert [(r.member, *r[1:]) for r in reading.records] == [(member, *record)]


def test_junk_is_kept_apart_and_distractors_stay() -> None:
    junk, distractor = "bounding_box_test/-1_c1s1_1_1.jpg", "bounding_box_test/0000_c1s1_1_1.jpg"
    reading = market1501.read(tree(junk, distractor, "gt_bbox/0001_c1.jpg"), Problems())
    assert reading.records == (Record(distractor, 0, 1, "gallery"),)
    assert reading.junk == (junk,)
    assert reading.images == sorted([junk, distractor])


@pytest.mark.parametrize(
    "name",
    ["me.jpg", "0001x.jpg", "-2_c1.jpg", "0001_c.jpg", "0001_c1.gif", "a/0001_c1.jpg", "٣_c1.jpg"],
)
def test_other_names_are_problems(name: str) -> None:
    problems = Problems()
    assert market1501.read(tree(f"query/{name}"), problems).records == ()
    with pytest.raises(UserError, match="names that are not PID_cCAMERA"):
        problems.refuse(Path("set.zip"), fix="")


@pytest.mark.parametrize("pid", ["-1", "0000"])
@pytest.mark.parametrize("folder", ["bounding_box_train", "query"])
def test_junk_and_distractors_belong_to_the_gallery(folder: str, pid: str) -> None:
    problems = Problems()
    market1501.read(tree(f"{folder}/{pid}_c1.jpg"), problems)
    assert "which only bounding_box_test may hold" in str(problems)


@pytest.mark.parametrize("name", ["0001.jpg", "0001_1.png", "1_frame_12.jpeg"])
def test_a_name_without_a_camera_is_camera_0_where_none_has_one(name: str) -> None:
    problems = Problems()
    (row,) = market1501.read(tree(f"query/{name}"), problems).records
    assert (row.pid, row.camid) == (1, 0)
    assert not problems
    market1501.read(tree(f"query/{name}", "query/0002_c1.jpg"), problems)
    assert name in str(problems)

"""Several photographs as one query, and boxes in them."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import normalize
from typer.testing import CliRunner

from reidpipe.cli import app
from reidpipe.commands.search.distances import distances
from reidpipe.commands.search.gallery import Gallery
from reidpipe.commands.search.query import Probe, probes
from reidpipe.datasets.sources.opening import open_tree
from reidpipe.errors import UserError
from reidpipe.formats.pictures import decode
from reidpipe.reporting.pictures.rank_list import GAP, WIDTH
from reidpipe.runtime.settings import Metric
from tests.commands.searches import NAMES, found, furnish, lay_out
from tests.trained import photograph


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out(tmp_path, monkeypatch)
    scene(5, 3).save("scene.png")


def scene(*numbers: int) -> Image.Image:
    """Photographs side by side, 21 x 50 pixels each."""
    parts = [np.asarray(Image.open(io.BytesIO(photograph(number)))) for number in numbers]
    return Image.fromarray(np.hstack(parts))


def asked(queries: Sequence[str], *boxes: str) -> list[Probe]:
    gallery = Path("gallery")
    with open_tree(gallery, Path()) as tree:
        return probes(queries, boxes, gallery, tree, NAMES)


def seen(probe: Probe) -> np.ndarray:
    return np.asarray(decode(probe.content))


def drawn(metric: Metric, queries: int) -> tuple[torch.Tensor, Gallery]:
    source = torch.Generator().manual_seed(0)
    gallery = Gallery([""] * 300, torch.randn(300, 8, generator=source), [], 0)
    return torch.randn(queries, 8, generator=source), gallery


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_a_distance_is_the_mean_over_the_photographs(metric: Metric) -> None:
    query, gallery = drawn(metric, 5)
    each = [distances(one[None].clone(), gallery, metric) for one in query]
    both = distances(query.clone(), gallery, metric)
    torch.testing.assert_close(both, torch.stack(each).mean(0))
    torch.testing.assert_close(distances(query.flip(0), gallery, metric), both)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_several_rank_as_their_mean_embedding(metric: Metric) -> None:
    query, gallery = drawn(metric, 5)
    images = gallery.embedding.clone()
    if metric == "cosine":
        oracle = -normalize(images, dim=1) @ normalize(query, dim=1).mean(0)
    else:
        oracle = (images - query.mean(0)).square().sum(1)
    assert torch.equal(distances(query, gallery, metric).argsort(), oracle.argsort())


def test_a_box_is_cut_out() -> None:
    (probe,) = asked(["scene.png"], "21,2,20,40")
    assert np.array_equal(seen(probe), np.asarray(scene(3))[2:42, :20])
    assert probe.own is None


def test_a_box_counts_pixels_as_the_photograph_is_seen() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its left side
    scene(3, 5).transpose(Image.Transpose.ROTATE_90).save("turned.png", exif=exif)
    (probe,) = asked(["turned.png"], "0,0,21,50")
    assert np.array_equal(seen(probe), np.asarray(scene(3)))


def test_boxes_are_none_one_for_all_or_one_for_each() -> None:
    left, right = "0,0,21,50", "21,0,21,50"
    name = NAMES[2]
    assert [p.content for p in asked([name, "who.png"])] == [photograph(2), photograph(3)]
    for boxes, numbers in (((left,), (5, 5)), ((left, right), (5, 3)), ((right, left), (3, 5))):
        probes_found = asked(["scene.png", "scene.png"], *boxes)
        for probe, number in zip(probes_found, numbers, strict=True):
            assert np.array_equal(seen(probe), np.asarray(scene(number)))
    assert asked([name], left)[0].own == name, "it is no match of its own box"


@pytest.mark.parametrize(
    "box",
    [
        *("", "1", "1,2,3", "1,2,3,4,5", "a,b,c,d", "1.5,0,9,9", "-1,0,9,9", "+1,0,9,9"),
        *(" 1,0,9,9", "1_0,0,9,9", "0,0,0,9", "0,0,9,0", "²,0,9,9", "0,0,9,9\n", "9" * 5000),
    ],
)
def test_what_is_no_box_is_refused(box: str) -> None:
    with pytest.raises(UserError, match="a box is none") as caught:
        asked(["who.png"], box)
    assert {"where", "expected", "fix"} <= set(caught.value.details)


@pytest.mark.parametrize("box", ["1,0,21,50", "0,1,21,50", "21,0,1,1", "0,50,1,1"])
def test_a_box_that_leaves_its_photograph_is_refused(box: str) -> None:
    with pytest.raises(UserError, match="leaves its photograph") as caught:
        asked(["scene.png", "who.png"], "0,0,21,50", box)
    assert caught.value.details["where"] == "who.png"
    assert "x + w up to 21, y + h up to 50" in str(caught.value)


def test_boxes_that_are_neither_one_nor_one_for_each_are_refused() -> None:
    with pytest.raises(UserError, match="do not go together"):
        asked(["who.png"] * 3, "0,0,9,9", "0,0,9,9")


def test_the_command_takes_several_and_draws_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own").mkdir()
    furnish(tmp_path / "own", monkeypatch)
    scene(5, 3).save("scene.png")
    arguments = ["search", "mine", "gallery", "scene.png", NAMES[3], "--top", "2"]
    boxes = ["--box", "21,0,21,50", "--box", "0,0,21,50"]
    result = CliRunner().invoke(app, [*arguments, *boxes, "--picture", "a.png"])
    assert result.exit_code == 0, result.output
    assert "mean over the 2 photographs" in result.output
    assert f"{len(NAMES) - 1} images of gallery" in result.output
    step = WIDTH + GAP
    with Image.open("a.png") as picture:
        assert picture.width == (step + 3 * GAP) + (3 * step + 3 * GAP)
    # Both are the fourth image: as one of them.
    assert found("gallery", "scene.png", boxes=("21,0,21,50",)).matches == found().matches
    wrong = CliRunner().invoke(app, [*arguments[:4], "--box", "0,0,99,9"])
    assert isinstance(wrong.exception, UserError)
    Path("who.png").write_text("not an image")
    for boxed in ((), ("0,0,9,9",)):
        with pytest.raises(UserError, match="query image is refused") as caught:
            found("gallery", "scene.png", "who.png", boxes=boxed)
        assert caught.value.details["where"] == "who.png"

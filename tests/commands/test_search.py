"""A query image among photographs: the model's own distances, from a folder as from a zip."""

import csv
import io
import json
import os
import tarfile
import tempfile
import unicodedata
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from typer.testing import CliRunner

from reidpipe.cli import app
from reidpipe.commands import search as search_module
from reidpipe.datasets.sources.listing import Tree
from reidpipe.datasets.sources.opening import open_tree
from reidpipe.errors import UserError
from reidpipe.formats.pictures import decode
from reidpipe.images.transforms import normalise
from reidpipe.reporting.pictures.rank_list import HEIGHT, NEUTRAL, WIDTH, strip
from reidpipe.systems.trained import load as load_trained
from tests.commands.searches import MODEL, NAMES, found, furnish
from tests.trained import SIZE, photograph


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    furnish(tmp_path, monkeypatch)


def embedded(contents: list[bytes]) -> Tensor:
    """Unit embeddings by the obvious way."""
    model = load_trained(MODEL).model
    height, width = SIZE
    images = [Image.open(io.BytesIO(content)).convert("RGB") for content in contents]
    small = [image.resize((width, height), Image.Resampling.BICUBIC) for image in images]
    pixels = torch.from_numpy(np.stack([np.asarray(image) for image in small]))
    with torch.inference_mode():
        vectors = model.embed(normalise(pixels.permute(0, 3, 1, 2)))
    return torch.nn.functional.normalize(vectors)


def test_matches_are_in_the_order_of_the_models_distances() -> None:
    result = found()
    by_name = dict(zip(NAMES, [photograph(number) for number in range(len(NAMES))], strict=True))
    names = sorted(by_name)
    gallery = embedded([by_name[name] for name in names])
    distance = 1 - gallery @ embedded([photograph(3)])[0]
    order = distance.argsort(stable=True).tolist()
    assert [match.name for match in result.matches] == [names[index] for index in order]
    assert [match.distance for match in result.matches] == pytest.approx(
        distance[order].clamp(min=0).tolist(), abs=1e-5
    )
    assert result.matches[0].name == NAMES[3]
    assert result.matches[0].distance == pytest.approx(0, abs=1e-6)
    assert all(match.content == by_name[match.name] for match in result.matches)


def test_a_zip_is_searched_as_a_folder_is() -> None:
    assert found("gallery.zip") == found("gallery")


def test_an_image_of_the_gallery_is_no_match_of_itself() -> None:
    result = found("gallery", NAMES[3])
    assert result.queries == (photograph(3),)
    assert NAMES[3] not in [match.name for match in result.matches]
    assert result.matches == found().matches[1:]


def test_equal_images_stand_by_name_and_top_bounds_the_list() -> None:
    for name in ("z.png", "a.PNG"):
        Path("gallery", name).write_bytes(photograph(3))
    assert [match.name for match in found(top=3).matches] == ["a.PNG", NAMES[3], "z.png"]


def test_files_that_are_no_images_are_counted() -> None:
    Path("gallery/notes.txt").write_text("of no interest")
    result = found()
    assert (result.images, result.others) == (7, 1)


def saved(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def unreadable(folder: Path) -> int:
    """Put what cannot be read into `folder`, and say how many these are."""
    folder.mkdir(exist_ok=True)
    image = Image.open(io.BytesIO(photograph(1)))
    (folder / "cut.png").write_bytes(photograph(1)[:200])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "webp.jpg").write_bytes(saved(image, format="WEBP"))
    (folder / "huge.png").write_bytes(saved(Image.new("1", (1 << 13, 1 << 12)), format="PNG"))
    (folder / "text.jpeg").write_text("<html>")
    (folder / "nowhere.jpg").symlink_to("gone.jpg")
    (folder / "circle.jpg").symlink_to("circle.jpg")
    os.mkfifo(folder / "pipe.jpg")
    Path(os.fsdecode(os.fsencode(folder) + b"/latin\xe9.jpg")).write_bytes(photograph(1))
    return 9


def test_what_cannot_be_read_is_passed_over_with_a_count() -> None:
    before = found()
    count = unreadable(Path("gallery/bad"))
    after = found()
    assert after == before
    assert len(after.skipped) == count
    assert all(name in str(after.skipped) for name in ("cut.png", "webp.jpg", "nowhere.jpg"))


def test_a_strict_search_refuses_what_cannot_be_read() -> None:
    Path("gallery/one.png").write_bytes(photograph(1)[:200])
    Path("gallery/two.jpg").write_bytes(b"")
    with pytest.raises(UserError, match="truncated") as caught:
        found(strict=True)
    assert "one.png" in str(caught.value)
    assert "two.jpg" in str(caught.value)


def test_a_gallery_of_nothing_readable_is_refused() -> None:
    unreadable(Path("bad"))
    with pytest.raises(UserError, match="no image can be read"):
        found("bad")


def test_links_to_photographs_are_followed() -> None:
    Path("links").mkdir()
    for number, name in enumerate(NAMES):
        Path(f"links/{number}.png").symlink_to(Path("gallery", name).resolve())
    assert [m.content for m in found("links").matches] == [m.content for m in found().matches]


PIXELS = np.asarray(Image.open(io.BytesIO(photograph(3))))
TURNED = {
    2: PIXELS[:, ::-1],
    3: PIXELS[::-1, ::-1],
    4: PIXELS[::-1],
    5: PIXELS.transpose(1, 0, 2),
    6: np.rot90(PIXELS, 1),
    7: np.rot90(PIXELS.transpose(1, 0, 2), 2),
    8: np.rot90(PIXELS, -1),
}
"""The same photograph as a camera that was held otherwise stores it, by its EXIF orientation."""


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", TURNED)
def test_photographs_are_seen_upright(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = Image.fromarray(np.ascontiguousarray(TURNED[orientation]))
    lossless = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    name = f"turned.{kind.lower()}"
    Path("gallery", name).write_bytes(saved(turned, format=kind, exif=exif, **lossless))
    first, second = found(top=2).matches
    assert {first.name, second.name} == {NAMES[3], name}
    assert second.distance < 0.001
    # As the query as well.
    nearest = found("gallery", f"gallery/{name}", top=1).matches[0]
    assert (nearest.name, nearest.distance < 0.001) == (NAMES[3], True)


def test_depth_and_transparency_are_what_eyes_see() -> None:
    grey = np.asarray(Image.fromarray(PIXELS).convert("L"))
    deep = saved(Image.fromarray(grey.astype(np.uint16) * 257), format="PNG")
    assert np.array_equal(np.asarray(decode(deep))[..., 1], grey)
    seen = np.dstack([PIXELS, np.full(PIXELS.shape[:2], 255, np.uint8)])
    seen[:5, ..., 3] = 0  # whatever colour lies under it
    shown = np.asarray(decode(saved(Image.fromarray(seen), format="PNG")))
    assert (shown[:5] == 255).all()
    assert np.array_equal(shown[5:], PIXELS[5:])
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 200, 10, 10])
    half = saved(palette, format="PNG", transparency=1)
    assert (np.asarray(decode(half)) == 255).all()


@pytest.mark.parametrize(
    "query", [NAMES[3], f"gallery/{NAMES[3]}", f"./gallery/../gallery/{NAMES[3]}"]
)
def test_a_query_in_the_gallery_is_left_out_however_it_is_named(query: str) -> None:
    assert NAMES[3] not in [match.name for match in found("gallery", query).matches]


def test_names_with_accents_are_found_in_either_form() -> None:
    name = unicodedata.normalize("NFD", "Zoë.png")
    Path("gallery", name).write_bytes(photograph(5))
    assert found("gallery", "Zoë.png").images == len(NAMES)


def test_a_whole_scene_is_noted() -> None:
    Path("gallery/frame.png").write_bytes(saved(Image.new("RGB", (320, 180), "red"), format="PNG"))
    assert found().squeezed == 1


def test_a_tar_gz_on_a_full_or_read_only_disk_needs_nothing_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with tarfile.open("gallery.tar.gz", "w:gz") as packed:
        packed.add("gallery", ".")
    asked = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and asked(path, mode))
    scratch = []
    real = open_tree

    def opened(path: Path, where: Path, **options: bool) -> AbstractContextManager[Tree]:
        scratch.append(where)
        return real(path, where, **options)

    monkeypatch.setattr(search_module, "open_tree", opened)
    assert found("gallery.tar.gz") == found("gallery")
    assert scratch[0] == Path(tempfile.gettempdir())


def test_a_broken_query_is_named() -> None:
    Path("who.png").write_text("not an image")
    with pytest.raises(UserError, match=r"who\.png"):
        found()


@pytest.mark.parametrize(
    ("gallery", "query", "message"),
    [
        ("gallery", "who.pgn", "query image is missing"),
        ("gallery", "camera1/33.png", "did you mean 'camera1/3.png'"),
        ("nowhere", "who.png", "the gallery is missing"),
        ("galery", "who.png", "did you mean 'gallery'"),
        ("empty", "who.png", "nothing to search"),
    ],
)
def test_what_is_not_there_is_named(gallery: str, query: str, message: str) -> None:
    Path("empty").mkdir()
    with pytest.raises(UserError, match=message):
        found(gallery, query)


def test_the_command_prints_the_list_and_draws_it() -> None:
    arguments = ["search", "mine", "gallery", "who.png", "--top", "4", "--picture", "out/a.png"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    shown = [line for line in result.stdout.splitlines() if ".png" in line]
    matches = found(top=4).matches
    assert all(match.name in line for match, line in zip(matches, shown, strict=True))
    assert "7 images of gallery searched" in result.output
    with Image.open("out/a.png") as picture:
        assert picture.format == "PNG"
        assert picture.height > HEIGHT
        assert picture.width > 5 * WIDTH


ODD = ["cam[left].png", "dir [bold]/[red]x.png", "[/].png", ":smile:.png", "1.5e3.png"]


@pytest.mark.parametrize("form", ["", "--csv", "--json"])
def test_names_are_printed_as_they_are(form: str) -> None:
    for number, name in enumerate(ODD):
        Path("odd", name).parent.mkdir(parents=True, exist_ok=True)
        Path("odd", name).write_bytes(photograph(number))
    arguments = ["search", "mine", "odd", "who.png", *filter(None, [form])]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    if form == "--json":
        names = [row["image"] for row in json.loads(result.stdout)]
    elif form == "--csv":
        names = [row["image"] for row in csv.DictReader(io.StringIO(result.stdout))]
    else:
        names = [name for name in ODD if f" {name} " in result.stdout]
    assert sorted(names) == sorted(ODD)


def test_matches_below_the_distance_of_a_rate_are_the_same_person() -> None:
    limit = found().matches[2].distance
    Path("reports/metrics").mkdir(parents=True)
    Path("reports/metrics/mine.json").write_text(json.dumps({"distance_at_fpr_1e-3": limit}))
    arguments = ["search", "mine", "gallery", "who.png", "--fpr", "1e-3", "--json"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert [row["same"] for row in json.loads(result.stdout)] == [True] * 2 + [False] * 5
    assert f"nearer than {limit:.4f}" in result.stderr
    assert "mine" in result.stderr


@pytest.mark.parametrize(
    ("metrics", "fpr", "words"),
    [
        ("", "1e-3", "was not evaluated"),
        ('{"distance_at_fpr_1e-3": 0.5}', "0.5", "1e-3"),
        ('{"mAP": 50.0}', "1e-3", "dvc repro evaluate@mine"),
    ],
)
def test_a_rate_without_a_distance_is_refused(metrics: str, fpr: str, words: str) -> None:
    Path("reports/metrics").mkdir(parents=True)
    if metrics:
        Path("reports/metrics/mine.json").write_text(metrics)
    result = CliRunner().invoke(app, ["search", "mine", "gallery", "who.png", "--fpr", fpr])
    assert isinstance(result.exception, UserError)
    assert words in str(result.exception)


def test_a_long_name_is_whole_in_a_pipe() -> None:
    name = "a" * 90 + ".png"
    Path("gallery", name).write_bytes(photograph(3))
    result = CliRunner(env={"COLUMNS": ""}).invoke(app, ["search", "mine", "gallery", "who.png"])
    assert name in result.stdout


@pytest.mark.parametrize("target", ["who.png/x.png", "gallery/a.png", "a" * 251 + ".png"])
def test_a_target_is_checked_before_the_work(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("gallery/a.png").mkdir()
    monkeypatch.setattr(search_module, "search", lambda *_, **__: pytest.fail("it worked already"))
    arguments = ["search", "mine", "gallery", "who.png", "--picture", target]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, OSError)
    assert ".part" not in str(result.exception)


def test_an_unknown_run_and_a_picture_that_is_no_png_are_refused() -> None:
    result = CliRunner().invoke(app, ["search", "mne", "gallery", "who.png"])
    assert isinstance(result.exception, UserError)
    assert "did you mean 'mine'?" in str(result.exception)
    wrong = CliRunner().invoke(app, ["search", "mine", "gallery", "who.png", "--picture", "a.gif"])
    assert wrong.exit_code == 2


def test_a_strip_marks_nothing_as_right_or_wrong() -> None:
    images = [Image.open(io.BytesIO(photograph(number))) for number in range(3)]
    pixels = np.asarray(strip(images[0], images[1:])).reshape(-1, 3)
    grey = tuple(int(NEUTRAL[place : place + 2], 16) for place in (1, 3, 5))
    assert (pixels == grey).all(axis=1).any()

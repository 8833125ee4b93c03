"""A query image among photographs: the model's own distances, from a folder as from a zip."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from typer.testing import CliRunner

from reidpipe.cli import app
from reidpipe.commands.search import Found, search
from reidpipe.errors import UserError
from reidpipe.formats.params import load
from reidpipe.images.transforms import normalise
from reidpipe.reporting.pictures.rank_list import HEIGHT, NEUTRAL, WIDTH, strip
from reidpipe.runtime.settings import Loading
from reidpipe.systems.trained import load as load_trained
from tests.trained import SIZE, photograph, trained

ROOT = Path(__file__).parents[2]
# The workers that training would have: a search has none, for they would share the open archive.
PROFILE = load(ROOT / "params.yaml", profile="embedded").active.model_copy(
    update={"loading": Loading(workers=2)}
)
NAMES = [f"camera{number % 2}/{number}.png" for number in range(7)]


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trained run, a gallery as a folder and as a zip, and a query."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    Path("params.yaml").symlink_to(ROOT / "params.yaml")
    trained(Path("runs/mine/model.safetensors"))
    with zipfile.ZipFile("gallery.zip", "w") as zipped:
        for number, name in enumerate(NAMES):
            Path("gallery", name).parent.mkdir(parents=True, exist_ok=True)
            Path("gallery", name).write_bytes(photograph(number))
            zipped.writestr(name, photograph(number))
    Path("who.png").write_bytes(photograph(3))


def found(gallery: str = "gallery", query: str = "who.png", top: int = 10) -> Found:
    return search(Path("runs/mine/model.safetensors"), Path(gallery), query, PROFILE, top)


def embedded(contents: list[bytes]) -> Tensor:
    """Unit embeddings by the obvious way."""
    model = load_trained(Path("runs/mine/model.safetensors")).model
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
    result = found(query=NAMES[3])
    assert result.query == photograph(3)
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


def test_every_broken_image_is_named() -> None:
    for name in ("one.png", "two.png"):
        Path("gallery", name).write_bytes(photograph(1)[:200])
    with pytest.raises(UserError, match="truncated") as caught:
        found()
    assert "one.png" in str(caught.value)
    assert "two.png" in str(caught.value)


def test_a_broken_query_is_named() -> None:
    Path("who.png").write_text("not an image")
    with pytest.raises(UserError, match=r"who\.png"):
        found()


@pytest.mark.parametrize(
    ("gallery", "query", "message"),
    [
        ("gallery", "who.pgn", "query image is missing"),
        ("gallery", "camera1/33.png", "did you mean 'camera1/3.png'"),
        ("nowhere", "who.png", "a data set is missing"),
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

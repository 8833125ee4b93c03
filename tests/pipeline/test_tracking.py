"""docs/tracking: the film, the tracker and the score are run as a reader would run them."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from reidpipe.commands.export import Source, export
from reidpipe.commands.export.form import Form
from reidpipe.formats.settings.extraction import ExtractParams
from tests.trained import photograph, trained

pytest.importorskip("onnxscript", reason="the extra onnx is not installed")

pytestmark = pytest.mark.slow
SCRIPTS = Path(__file__).parents[2] / "docs/tracking"
PEOPLE, LINES = 2, 60


def run(script: str, *words: object) -> str:
    command = [sys.executable, str(SCRIPTS / script), *map(str, words)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("film")
    assert "boxes" in run("film.py", folder, "--people", PEOPLE, "--frames", 70, "--seed", 3)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of random weights, which see colours: enough for two people."""
    import zipfile  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("model")
    lines = ["member,pid,camid,subset,label", "learnt.png,77,1,train,0"]
    with zipfile.ZipFile(folder / "a.zip", "w") as zipped:
        for number in range(6):
            zipped.writestr(f"{number}.png", photograph(number))
            subset = "query" if number < 2 else "gallery"
            lines.append(f"{number}.png,{number % 2},{number % 3},{subset},-1")
    (folder / "a.csv").write_text("\n".join(lines) + "\n")
    trained(folder / "model.safetensors")
    source = Source(folder / "model.safetensors", folder / "a.zip", folder / "a.csv", None, 0.01)
    out = folder / "model.onnx"
    export(source, out, Form("onnx"), params=ExtractParams(device="cpu"), metric="cosine")
    return out


def table(path: Path) -> np.ndarray:
    return np.loadtxt(path, delimiter=",", ndmin=2).astype(int)


def test_every_box_has_a_number_and_nobody_two_at_once(film: Path, model: Path) -> None:
    assert "boxes" in run("track.py", film, model)
    for folder in sorted(film.iterdir()):
        tracks, boxes = table(folder / "tracks.txt"), table(folder / "det/det.txt")
        assert {tuple(row) for row in tracks[:, [0, 2, 3, 4, 5]]} == {
            tuple(row) for row in boxes[:, [0, 2, 3, 4, 5]]
        }
        assert len({tuple(row[:2]) for row in tracks}) == len(tracks)
        assert tracks[:, 1].min() >= 1


@pytest.mark.parametrize("limit", [0.0, 3.0])
def test_a_limit_decides_who_is_one_person(film: Path, model: Path, limit: float) -> None:
    """At 0 nothing is joined across cameras; at 3, beyond any distance, all that can be is."""
    run("track.py", film, model, limit)
    first, second = (set(table(film / f"camera{k}/tracks.txt")[:, 1]) for k in (1, 2))
    assert first.isdisjoint(second) == (limit == 0)
    within, across, people = counted(run("score.py", film))
    assert people == PEOPLE
    if limit == 0:
        assert across == PEOPLE
    assert (within, across) == slowly(film)


def counted(text: str) -> tuple[int, int, int]:
    people, within, across = (int(word) for word in text.replace(";", "").split() if word.isdigit())
    return within, across, people


def slowly(film: Path) -> tuple[int, int]:
    """Switches, counted person by person."""
    totals = [0, 0]
    for person in range(1, PEOPLE + 1):
        numbers = []
        for camera in (1, 2):
            folder = film / f"camera{camera}"
            own = [row for row in table(folder / "gt/gt.txt") if row[1] == person]
            for row in sorted(own, key=lambda row: row[0]):
                (found,) = (
                    track[1]
                    for track in table(folder / "tracks.txt")
                    if track[0] == row[0] and list(track[2:]) == list(row[2:6])
                )
                numbers.append((camera, found))
        for (camera, number), (after, another) in pairwise(numbers):
            if number != another:
                totals[camera != after] += 1
    return totals[0], totals[1]


def test_the_truth_has_no_switches(film: Path) -> None:
    for folder in film.iterdir():
        truth = table(folder / "gt/gt.txt")[:, :6]
        np.savetxt(folder / "tracks.txt", truth, fmt="%d", delimiter=",")
    assert counted(run("score.py", film)) == (0, 0, PEOPLE)


def test_the_picture_is_drawn(film: Path, model: Path, tmp_path: Path) -> None:
    run("track.py", film, model)
    run("draw.py", film, tmp_path / "p.jpg")
    assert (tmp_path / "p.jpg").read_bytes().startswith(b"\xff\xd8")


def test_it_is_as_short_as_it_says_and_needs_onnxruntime_alone() -> None:
    text = (SCRIPTS / "track.py").read_text()
    body = text.split('"""\n', 1)[1]
    lines = [
        line for line in body.splitlines() if line.strip() and not line.strip().startswith("#")
    ]
    assert len(lines) <= LINES
    assert "reidpipe." not in body.replace('"reidpipe"', "")
    assert "torch" not in body

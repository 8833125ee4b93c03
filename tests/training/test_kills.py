"""Killed at every change of a file, and at random moments: the end is always the same bytes."""

import time
from pathlib import Path

import pytest

from reidpipe.files import digest
from reidpipe.params import TrainParams
from reidpipe.runtime.streams import stream
from tests.training.process import start

Set = tuple[Path, Path]
KILLED = 9
RANDOM_KILLS = 20


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def outputs() -> str:
    return digest(Path("b/model.safetensors")) + digest(Path("b/history.csv"))


def undisturbed(tiny_set: Set, recipe: TrainParams) -> str:
    assert start(tiny_set, recipe).wait() == 0
    hashes = outputs()
    forget_outputs()
    return hashes


def forget_outputs() -> None:
    for path in Path("b").iterdir():
        path.unlink()


@pytest.mark.slow
def test_killed_at_each_change_of_a_file(tiny_set: Set, recipe: TrainParams) -> None:
    """Three epochs save two states, then the model and the history: every change of them."""
    short = recipe.model_copy(update={"epochs": 3})
    expected = undisturbed(tiny_set, short)
    kills = 0
    while (status := start(tiny_set, short, "--dies-at", str(kills + 1)).wait()) != 0:
        assert status == KILLED
        kills += 1
        assert start(tiny_set, short).wait() == 0
        assert outputs() == expected, f"killed before change {kills}"
        assert not any(Path(".resume").iterdir())
        forget_outputs()
    # Two states of six changes each, two outputs of four, and the folder's end.
    assert kills == 2 * 6 - 1 + 2 * 4 + 1


@pytest.mark.slow
def test_killed_at_random_moments(tiny_set: Set, recipe: TrainParams) -> None:
    longer = recipe.model_copy(update={"epochs": 80})
    begun = time.monotonic()
    expected = undisturbed(tiny_set, longer)
    length = time.monotonic() - begun  # on this machine, as busy as it is
    moments = stream("moments").uniform(0, 1.6 * length / RANDOM_KILLS, RANDOM_KILLS)
    for moment in moments:
        process = start(tiny_set, longer)
        time.sleep(moment)
        process.kill()
        assert process.wait() == -KILLED, "the run ended before it could be killed"
    assert list(Path(".resume").glob("*/state.safetensors")), "no kill came after a saved epoch"
    assert start(tiny_set, longer).wait() == 0
    assert outputs() == expected


def test_a_full_disk_is_said_and_costs_nothing(tiny_set: Set, recipe: TrainParams) -> None:
    full = start(tiny_set, recipe, "--room", str(8 << 20))
    _, said = full.communicate()
    assert full.returncode == 2
    assert said.count("error: no room to write") == 1
    assert "Traceback" not in said
    assert not Path("b").exists()
    assert not list(Path(".resume").rglob("*.part"))
    assert start(tiny_set, recipe).wait() == 0

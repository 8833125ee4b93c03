"""Killed at every change of a file, and at random moments: the end is always the same bytes."""

import signal
import time
from pathlib import Path

import pytest

from reidpipe.files import digest
from reidpipe.formats.settings.training import Recipe
from reidpipe.runtime.streams import stream
from tests.training.process import Forks, changed

Set = tuple[Path, Path]
KILLED = 9
RANDOM_KILLS = 20


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def outputs() -> str:
    return digest(Path("b/model.safetensors")) + digest(Path("b/history.csv"))


def undisturbed(forks: Forks, tiny_set: Set, recipe: Recipe) -> str:
    assert forks(tiny_set, recipe).wait() == 0
    hashes = outputs()
    forget_outputs()
    return hashes


def forget_outputs() -> None:
    for path in Path("b").iterdir():
        path.unlink()


@pytest.mark.slow
@pytest.mark.xdist_group("kills at changes")
def test_killed_at_each_change_of_a_file(tiny_set: Set, recipe: Recipe, forks: Forks) -> None:
    """Three epochs save two states, then the model and the history: every change of them."""
    short = changed(recipe, epochs=3)
    expected = undisturbed(forks, tiny_set, short)
    kills = 0
    while (status := forks(tiny_set, short, "--dies-at", str(kills + 1)).wait()) != 0:
        assert status == KILLED
        kills += 1
        assert forks(tiny_set, short).wait() == 0
        assert outputs() == expected, f"killed before change {kills}"
        assert not any(Path(".resume").iterdir())
        forget_outputs()
    # Two states of six changes each, two outputs of four, and the folder's end.
    assert kills == 2 * 6 - 1 + 2 * 4 + 1


@pytest.mark.slow
@pytest.mark.xdist_group("kills at random")
def test_killed_at_random_moments(tiny_set: Set, recipe: Recipe, forks: Forks) -> None:
    """A moment may lie beyond the end: the bytes are compared, and the next run begins anew."""
    longer = changed(recipe, epochs=80)
    begun = time.monotonic()
    expected = undisturbed(forks, tiny_set, longer)
    length = time.monotonic() - begun  # on this machine, as busy as it is
    moments = iter(stream("moments").uniform(0, 1.6 * length / RANDOM_KILLS, 10 * RANDOM_KILLS))
    kills, resumed = 0, False
    while kills < RANDOM_KILLS:
        process = forks(tiny_set, longer)
        time.sleep(next(moments))
        process.signal(signal.SIGKILL)
        if process.wait() == -signal.SIGKILL:
            kills += 1
            resumed |= bool(list(Path(".resume").glob("*/state.safetensors")))
        else:
            assert process.wait() == 0
            assert outputs() == expected
            forget_outputs()
    assert resumed, "no kill came after a saved epoch"
    assert forks(tiny_set, longer).wait() == 0
    assert outputs() == expected


def test_a_full_disk_is_said_and_costs_nothing(tiny_set: Set, recipe: Recipe, forks: Forks) -> None:
    full = forks(tiny_set, recipe, "--room", str(8 << 20))
    assert full.wait() == 2
    said = full.said()
    assert said.count("error: no room to write") == 1
    assert "Traceback" not in said
    assert not Path("b").exists()
    assert not list(Path(".resume").rglob("*.part"))
    assert forks(tiny_set, recipe).wait() == 0

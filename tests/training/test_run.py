"""A run from zip and manifest to a model: reproducible, resumable, guarded."""

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from reidpipe.errors import UserError
from reidpipe.files import digest
from reidpipe.formats import weights as checkpoint
from reidpipe.formats.settings.training import Recipe
from reidpipe.runtime.settings import Loading
from reidpipe.training import loop, position, resume
from reidpipe.training.run import ONE_PROCESS, train
from tests.training.dying import KilledError, die_in_step, save_every_step
from tests.training.process import MACHINE, OURS, Forks, changed, start

Set = tuple[Path, Path]


def go(
    tiny_set: Set,
    recipe: Recipe,
    folder: Path,
    network: Mapping[str, Any] = OURS,
    *,
    seed: int = 0,
    loading: Loading = ONE_PROCESS,
    code: str = "tests",
) -> str:
    """Train in `folder`; the hash of model and history."""
    archive, manifest = tiny_set
    model, history = folder / "model.safetensors", folder / "history.csv"
    files: dict[str, Any] = {"archive": archive, "manifest": manifest, "model_file": model}
    files |= {"history_file": history, "start": None, "code": code, "loading": loading}
    train("tiny", "ours", network, recipe, seed, machine=MACHINE, **files)
    return digest(model) + digest(history)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_equal_bytes_twice_and_another_seed_differs(
    tiny_set: Set, recipe: Recipe, tmp_path: Path
) -> None:
    torch.rand(7)  # the state of the global stream must not matter
    first = go(tiny_set, recipe, tmp_path / "a")
    torch.rand(3)
    assert go(tiny_set, recipe, tmp_path / "b") == first
    assert go(tiny_set, recipe, tmp_path / "c", seed=1) != first
    assert not any(Path(".resume").iterdir())


@pytest.mark.slow
def test_other_folders_and_hash_seeds_change_nothing(
    tiny_set: Set, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = []
    for seed in ("0", "1"):
        folder = tmp_path / seed
        folder.mkdir()
        monkeypatch.chdir(folder)
        assert start(tiny_set, recipe, PYTHONHASHSEED=seed).wait() == 0
        hashes.append(digest(Path("b/model.safetensors")) + digest(Path("b/history.csv")))
    assert hashes[0] == hashes[1] == go(tiny_set, recipe, tmp_path / "here")


def test_workers_and_the_memory_budget_change_nothing(
    tiny_set: Set, recipe: Recipe, tmp_path: Path
) -> None:
    alone = go(tiny_set, recipe, tmp_path / "a")
    for change in ({"workers": 2}, {"cache_mb": 0}, {"workers": 2, "cache_mb": 0}):
        loading = Loading.model_validate(change)
        other = go(tiny_set, recipe, tmp_path / "b", loading=loading)
        assert other == alone, change


def test_the_loss_falls_and_the_history_has_a_row_per_epoch(
    tiny_set: Set, recipe: Recipe, tmp_path: Path
) -> None:
    longer = changed(recipe, epochs=12, milestones=(11,))
    plain = {**OURS, "attention": "none", "classifier": "linear"}
    go(tiny_set, longer, tmp_path, plain)
    header, *rows = (tmp_path / "history.csv").read_text().splitlines()
    names = header.split(",")
    assert names == ["epoch", "lr", "loss", "ce", "triplet", "accuracy"]
    values = [dict(zip(names, map(float, row.split(",")), strict=True)) for row in rows]
    assert [row["epoch"] for row in values] == list(range(1, 13))
    assert values[-1]["ce"] < 0.8 * values[0]["ce"]
    assert values[0]["loss"] == pytest.approx(values[0]["ce"] + values[0]["triplet"], rel=1e-5)


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "steps", [1, pytest.param(4, marks=SLOW), 5, 9, pytest.param(12, marks=SLOW)]
)
def test_killed_anywhere_the_next_run_ends_with_the_same_bytes(
    tiny_set: Set,
    recipe: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    steps: int,
) -> None:
    undisturbed = go(tiny_set, recipe, tmp_path / "a")
    save_every_step(monkeypatch)
    losses = die_in_step(monkeypatch, steps)
    with pytest.raises(KilledError):
        go(tiny_set, recipe, tmp_path / "b")
    assert not (tmp_path / "b").exists()
    assert go(tiny_set, recipe, tmp_path / "b") == undisturbed
    taken = recipe.epochs * 4
    assert len(losses) == taken + 1, "the second run took up where the first died"


@pytest.mark.parametrize("torn", [False, True])
def test_a_state_after_an_epochs_last_step_is_taken_up_and_a_torn_one_passed_over_and_said(
    tiny_set: Set,
    recipe: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    torn: bool,
) -> None:
    """All its steps are done, and the epoch is still to be closed."""
    undisturbed = go(tiny_set, recipe, tmp_path / "a")
    save_every_step(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(position.Position, "end_epoch", _raise_in_epoch(3))
        with pytest.raises(KilledError):
            go(tiny_set, recipe, tmp_path / "b")
    (state,) = Path(".resume").glob("*/state.safetensors")
    if torn:
        os.truncate(state, state.stat().st_size // 2)
    assert go(tiny_set, recipe, tmp_path / "b") == undisturbed
    assert ("passing over a damaged state" in capsys.readouterr().err) == torn


def _raise_in_epoch(number: int) -> Any:
    end = position.Position.end_epoch

    def dies(self: position.Position, *arguments: Any) -> None:
        if self.epoch + 1 == number:
            raise KilledError
        end(self, *arguments)

    return dies


def test_another_configuration_or_data_set_never_resumes(tiny_set: Set) -> None:
    archive, manifest = tiny_set
    base = resume.key({"lr": 1.0}, [archive, manifest])
    assert resume.key({"lr": 1.0}, [archive, manifest]) == base
    assert resume.key({"lr": 2.0}, [archive, manifest]) != base
    assert resume.key({"lr": 1.0}, [manifest]) != base


def test_other_code_never_resumes(
    tiny_set: Set, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_every_step(monkeypatch)
    die_in_step(monkeypatch, 5)
    with pytest.raises(KilledError):
        go(tiny_set, recipe, tmp_path / "a")
    (left,) = Path(".resume").iterdir()
    go(tiny_set, recipe, tmp_path / "a", code="other")
    assert list(Path(".resume").iterdir()) == [left]
    go(tiny_set, recipe, tmp_path / "a")
    assert not list(Path(".resume").iterdir())


@pytest.mark.slow
def test_a_second_writer_is_refused_while_the_first_lives(
    tiny_set: Set, recipe: Recipe, forks: Forks
) -> None:
    """And is let in as soon as it is dead, though its workers live a few seconds longer."""
    longer = changed(recipe, epochs=50)
    first = forks(tiny_set, longer, "--workers=2")
    while not list(Path(".resume").glob("*/state.safetensors")):
        assert first.poll() is None
        time.sleep(0.01)
    second = forks(tiny_set, longer)
    assert second.wait() == 2
    assert f"process {first.pid} holds the lock" in second.said()
    first.signal(signal.SIGKILL)
    first.wait()
    (folder,) = Path(".resume").iterdir()
    with resume.State(folder.name) as state:
        assert state.load()


def test_a_loss_that_is_not_finite_stops_before_the_step(
    tiny_set: Set, recipe: Recipe, tmp_path: Path
) -> None:
    wild = changed(recipe, lr=1e30, warmup_epochs=0)
    with pytest.raises(UserError, match="not finite") as caught:
        go(tiny_set, wild, tmp_path / "a")
    message = str(caught.value)
    assert "epoch 1, step" in message
    assert ".png" in message
    assert not (tmp_path / "a").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "workers"), [(signal.SIGINT, 0), (signal.SIGTERM, 2)])
def test_a_signal_saves_says_how_to_go_on_and_exits_non_zero(
    tiny_set: Set,
    recipe: Recipe,
    forks: Forks,
    tmp_path: Path,
    *,
    number: signal.Signals,
    workers: int,
) -> None:
    """Sent to the whole group of processes, as a terminal sends it."""
    longer = changed(recipe, epochs=8)
    process = forks(tiny_set, longer, f"--workers={workers}")
    while not list(Path(".resume").glob("*/state.safetensors")):
        assert process.poll() is None
        time.sleep(0.01)
    process.signal(number, group=True)
    assert process.wait() == 128 + number
    said = process.said()
    assert f"{number.name}: the state is saved" in said
    assert "Traceback" not in said
    assert not Path("b").exists()
    assert forks(tiny_set, longer).wait() == 0
    assert digest(Path("b/model.safetensors")) + digest(Path("b/history.csv")) == go(
        tiny_set, longer, tmp_path / "a"
    )


def test_a_full_gpu_is_explained(
    tiny_set: Set, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(loop, "step", full)
    with pytest.raises(UserError, match="memory is full") as caught:
        go(tiny_set, recipe, tmp_path / "a")
    assert "3 x 2 of 32x16, fp32" in str(caught.value)
    assert "lower the batch" in str(caught.value)


def test_the_model_file_says_how_to_build_the_network(
    tiny_set: Set, recipe: Recipe, tmp_path: Path
) -> None:
    go(tiny_set, recipe, tmp_path)
    _, about = checkpoint.load(tmp_path / "model.safetensors")
    assert about["attention"] == "cbam"
    assert about["num_classes"] == 6
    assert about["image_size"] == [32, 16]

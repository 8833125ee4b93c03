"""Two processes compute what one does: losses, weights, embeddings; and they resume."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from reidpipe.files import digest
from reidpipe.formats import weights as checkpoint
from reidpipe.formats.settings.training import Recipe
from tests.systems.small import PCB, SVDNET
from tests.systems.small import recipe as small
from tests.training.process import OURS, changed

ROOT = Path(__file__).parents[2]
Set = tuple[Path, Path]


@pytest.fixture
def steps(recipe: Recipe) -> Recipe:
    """Seven epochs of three steps: four identities, two images each."""
    return changed(recipe, epochs=7, milestones=(6,), images=2, identities=4, lr=1e-4)


def go(
    folder: Path,
    tiny_set: Set,
    recipe: Recipe,
    devices: int,
    last: int = 0,
    *,
    how: str = "",
    status: int = 0,
    system: str = "ours",
    network: Mapping[str, Any] = OURS,
) -> None:
    """Train, to the end or until something happens in the step `last`."""
    folder.mkdir(exist_ok=True)
    (folder / "run.json").write_text(json.dumps({"system": system, "network": network}))
    (folder / "recipe.json").write_text(recipe.model_dump_json())
    arguments = [folder, *tiny_set, devices, last, how]
    command = [sys.executable, "-m", "tests.training.several", *map(str, arguments)]
    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    options = {"cwd": folder, "env": environment, "capture_output": True, "text": True}
    options |= {"process_group": 0}
    done = subprocess.run(command, **options, timeout=300, check=False)  # type: ignore[call-overload]
    assert done.returncode == status, done.stderr


@pytest.mark.slow
def test_two_processes_are_one(tiny_set: Set, steps: Recipe, tmp_path: Path) -> None:
    for devices in (1, 2):
        go(tmp_path / str(devices), tiny_set, steps, devices)
    one, two = (json.loads((tmp_path / name / "losses.json").read_text()) for name in "12")
    assert len(one) == 21
    assert two == pytest.approx(one, rel=1e-5)
    embeddings = [torch.load(tmp_path / n / "embeddings.pt", weights_only=True) for n in "12"]
    assert torch.equal(*embeddings)
    models = [checkpoint.load(tmp_path / name / "model")[0] for name in "12"]
    for name, tensor in models[0].items():
        torch.testing.assert_close(models[1][name], tensor, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_two_processes_share_the_masks_of_dropout(tiny_set: Set, tmp_path: Path) -> None:
    recipe = small("pcb", lr=1e-3, epochs=3)
    for devices in (1, 2):
        folder = tmp_path / str(devices)
        go(folder, tiny_set, recipe, devices, system="pcb", network=PCB)
    one, two = (json.loads((tmp_path / name / "losses.json").read_text()) for name in "12")
    assert len(one) == 9
    assert two == pytest.approx(one, rel=1e-5)


@pytest.mark.slow
def test_two_processes_go_through_phases_as_one_and_are_killed_in_them(
    tiny_set: Set, tmp_path: Path
) -> None:
    """The third and the fourth of five phases, of which one begins with new weights."""
    recipe = small("svdnet", lr=1e-3)
    kind: dict[str, Any] = {"system": "svdnet", "network": SVDNET}
    for devices in (1, 2):
        go(tmp_path / str(devices), tiny_set, recipe, devices, **kind)
    one, two = (json.loads((tmp_path / name / "losses.json").read_text()) for name in "12")
    assert len(one) == 18
    assert two == pytest.approx(one, rel=1e-4)
    for step in (9, 10, 12):
        folder = tmp_path / f"killed in {step}"
        go(folder, tiny_set, recipe, 2, step, how="dies", status=9, **kind)
        go(folder, tiny_set, recipe, 2, **kind)
        for name in ("model", "history.csv"):
            assert digest(tmp_path / "2" / name) == digest(folder / name)


@pytest.mark.slow
@pytest.mark.parametrize("devices", [2, 4])
def test_processes_killed_go_on_to_the_same_bytes(
    tiny_set: Set, steps: Recipe, tmp_path: Path, devices: int
) -> None:
    """A sum of two is the same in both orders; one of four is not."""
    go(tmp_path / "a", tiny_set, steps, devices)
    go(tmp_path / "b", tiny_set, steps, devices, 7, how="dies", status=9)
    assert list((tmp_path / "b/.resume").glob("*/state.safetensors"))
    go(tmp_path / "b", tiny_set, steps, devices)
    for name in ("model", "history.csv"):
        assert digest(tmp_path / "a" / name) == digest(tmp_path / "b" / name)


@pytest.mark.slow
def test_a_signal_to_all_lets_the_one_that_saves_finish(
    tiny_set: Set, steps: Recipe, tmp_path: Path
) -> None:
    go(tmp_path / "a", tiny_set, steps, 2)
    go(tmp_path / "b", tiny_set, steps, 2, 7, how="interrupts", status=130)
    assert list((tmp_path / "b/.resume").glob("*/state.safetensors"))
    go(tmp_path / "b", tiny_set, steps, 2)
    assert digest(tmp_path / "a/model") == digest(tmp_path / "b/model")

"""Every stage and every command sets the instructions before torch computes anything."""

import re
import runpy
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from reidpipe.cli import app
from reidpipe.commands.seeds import training
from reidpipe.datasets import splitting
from reidpipe.datasets.download import synthesised
from reidpipe.formats import weights as checkpoint
from reidpipe.formats.settings.data import SyntheticSource
from reidpipe.plan.code import Code
from reidpipe.plan.resolve import plan, resolve
from tests.first_operation import SET, first_operation
from tests.trained import photograph, trained

ROOT = Path(__file__).parents[1]
CODE = Code(ROOT)
IMPORTS_TORCH = re.compile(r"^ *(import|from) torch\b", re.MULTILINE)
RUN, DATASET = "market1501-baseline", "market1501"
STAGES = {
    "cell": DATASET,
    "pose": "",
    "evaluate": RUN,
    "extract": RUN,
    "split": DATASET,
    "train": RUN,
    "weights": "resnet",
}
"""Those that compute, and what each is asked for."""
COMMANDS = {
    "adopt": ("theirs.pth", "ours.safetensors"),
    "doctor": (),
    "evaluate": (f"runs/{RUN}/features.safetensors",),
    "export": (RUN, "out.onnx"),
    "search": (RUN, "gallery.zip", "1.png"),
}
ELSEWHERE = {
    "report": "tests/reporting/test_report.py",
    "seeds": "tests/test_entry_points.py",
    "compare": "tests/test_cli.py",
    "show": "tests/commands/test_show.py",
}
"""Where they are tried, for they need more than `workspace` has."""


def reaches_torch(script: Path) -> bool:
    files = (ROOT / path for path in CODE.reached([script.relative_to(ROOT).as_posix()]))
    return any(IMPORTS_TORCH.search(path.read_text(encoding="utf-8")) for path in files)


def test_none_is_forgotten() -> None:
    """Those that cannot reach torch have nothing to set."""
    scripts = [*(ROOT / "stages").glob("*.py"), *(ROOT / "reidpipe/cli").glob("[a-z]*.py")]
    computing = {script.stem for script in scripts if reaches_torch(script)}
    assert computing == STAGES.keys() | COMMANDS.keys() | ELSEWHERE.keys()
    for name, path in ELSEWHERE.items():
        assert f"def test_{name}_" in (ROOT / path).read_text(), name


def changed(root: Path, name: str, *changes: tuple[str, str]) -> None:
    """A copy of a file with other values."""
    content = (ROOT / name).read_text()
    for before, after in changes:
        assert before in content
        content = content.replace(before, after)
    (root / name).write_text(content)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the stages before have left, for two people."""
    root = tmp_path_factory.mktemp("entry points")
    files = Path("data/raw", f"{DATASET}.zip"), Path("data/splits", f"{DATASET}.csv")
    for path in files:
        (root / path).parent.mkdir(parents=True)
    people = SyntheticSource(
        source="synthetic", layout="market1501", cameras=2, train_ids=2, test_ids=2
    )
    synthesised(people, root / files[0])
    splitting.split(root / files[0], root / files[1], people.layout)
    trained(root / f"runs/{RUN}/model.safetensors")
    tensors = {"embedding": torch.rand(4, 8), "pid": torch.tensor([1, 2, 1, 2])}
    tensors |= {"camid": torch.tensor([1, 1, 2, 2])}
    tensors |= {"subset": torch.tensor([0, 0, 1, 1], dtype=torch.uint8)}
    checkpoint.save(root / f"runs/{RUN}/features.safetensors", tensors, {"run": RUN})
    torch.save(tensors, root / "theirs.pth")
    with zipfile.ZipFile(root / "gallery.zip", "w") as zipped:
        for number in range(2):
            zipped.writestr(f"{number}.png", photograph(number))
    for name in ("dvc.yaml", "requirements.lock", "reidpipe", "stages"):
        (root / name).symlink_to(ROOT / name)
    changed(root, "runs.yaml", ("cells: [msmt17]", f"cells: [msmt17, {DATASET}]"))
    own = "cell: {epochs: 1, identities: 2, images: 2, channels: 4, image_size: [32, 16]}"
    fewer = (("identities: 72", "identities: 2"), ("identities: 120", "identities: 5"))
    changed(root, "params.yaml", *fewer, ("\n  pose:", f"\n  {own}\n  pose:"))
    (root / "data/weights").mkdir()
    for role in ("random", "resnet"):
        checkpoint.save(root / f"data/weights/{role}.safetensors", {}, {})
    resolve(root)
    return root


@pytest.fixture(autouse=True)
def workspace(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made)


@pytest.mark.parametrize("name", STAGES)
def test_stages(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [name, STAGES[name]])
    with first_operation(monkeypatch) as found:
        runpy.run_path(str(ROOT / f"stages/{name}.py"), run_name="__main__")
    assert found[0] == SET


def test_seeds_that_are_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the command trains them, once it has asked DVC what is current."""
    made = plan()
    with first_operation(monkeypatch) as found:
        training._scored(RUN, 1, made)
    assert found[0] == SET


@pytest.mark.parametrize("name", COMMANDS)
def test_commands(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "export":
        pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    with first_operation(monkeypatch) as found:
        result = CliRunner().invoke(app, [name, *COMMANDS[name]])
    assert found, result.output
    assert found[0] == SET

"""The command line: help without torch, runs compared."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from reidpipe.cli import app
from reidpipe.errors import UserError
from reidpipe.formats import ranking
from reidpipe.formats.ranking import Ranking
from reidpipe.runtime.streams import stream
from tests.first_operation import first_operation

ROOT = Path(__file__).parents[1]
runner = CliRunner()
COMMANDS = {
    "doctor": ["--profile", "--csv", "--json"],
    "check": ["--against", "--md", "--json"],
    "reproduced": [],
    "show": ["table", "--csv", "--tex", "--targets"],
    "compare": ["a", "b", "--csv", "--json"],
    "evaluate": [
        "features",
        "--data",
        "--name",
        "--names",
        "--metric",
        "--rerank",
        "--csv",
        "--json",
    ],
    "seeds": ["names", "--train", "--all-commits", "-A", "--csv", "--json"],
    "search": [
        "run",
        "gallery",
        "query_images",
        "--top",
        "--box",
        "--picture",
        "--page",
        "--index",
        "--approximate",
        "--strict",
        "--fpr",
        "--csv",
        "--json",
    ],
    "export": ["run", "file", "--for", "--input", "--batch", "--half", "--unit", "--data"],
    "leave-out": ["dataset"],
    "adopt": ["file", "out", "--height", "--width", "--last-stride", "--ceil"],
    "spread": [
        "runs",
        "--set-param",
        "-S",
        "--address",
        "--at-once",
        "--gpus-per-run",
        "--by-remote",
        "--dry",
        "--lines",
        "--gather",
    ],
}
"""Arguments and options of each command."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("params.yaml", "runs.yaml", "dvc.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("REIDPIPE_ARCHIVES", str(tmp_path / "archives"))
    return tmp_path


def ranked(path: Path, precision: np.ndarray) -> None:
    count = len(precision)
    first = np.where(precision > 0.5, 0, 3)
    path.parent.mkdir(parents=True)
    lists = np.zeros((count, 1), dtype=np.int64)
    distances = np.zeros((count, 1), dtype=np.float32)
    found = Ranking(np.arange(count), first, precision, precision, lists, distances, count)
    ranking.write(path, found)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_imports_nothing_that_takes_long(command: str) -> None:
    script = f"""
import sys
from reidpipe.cli import app
try:
    app([*{command.split()}, "--help"])
finally:
    heavy = {{"torch", "pandas", "matplotlib", "numpy", "dvc"}} & sys.modules.keys()
    print("heavy:", sorted(heavy))
"""
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "heavy: []" in result.stdout
    assert "Example" in result.stdout or not command


def test_the_command_line_is_frozen() -> None:
    """Scripts depend on these names: change one, and change it here and in CHANGELOG, too."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    found = {
        name: [option for part in command.params for option in sorted(part.opts)]
        for name, command in group.commands.items()
    }
    assert found == COMMANDS


def test_compare_says_what_is_sure_and_what_is_not(folder: Path) -> None:
    precision = stream(0, "precision").uniform(0.2, 0.9, 400)
    ranked(folder / "runs/a/ranking.npz", precision)
    ranked(folder / "runs/b/ranking.npz", precision + 0.05)
    result = runner.invoke(app, ["compare", "a", "b"])
    assert result.exit_code == 0, result.output
    mean_ap = next(line for line in result.output.splitlines() if " mAP " in line)
    assert "+5.00" in mean_ap
    assert "higher" in mean_ap
    same = runner.invoke(app, ["compare", "a", "a"])
    assert same.output.count("undecided") == 6


def test_compare_computes_without_torch(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So it has no instructions to set."""
    ranked(folder / "runs/a/ranking.npz", np.full(5, 0.5))
    with first_operation(monkeypatch) as found:
        assert runner.invoke(app, ["compare", "a", "a"]).exit_code == 0
    assert not found


def test_compare_refuses_other_queries_and_missing_runs(folder: Path) -> None:
    ranked(folder / "runs/a/ranking.npz", np.full(5, 0.5))
    ranked(folder / "runs/b/ranking.npz", np.full(6, 0.5))
    different = runner.invoke(app, ["compare", "a", "b"])
    assert isinstance(different.exception, UserError)
    missing = runner.invoke(app, ["compare", "a", "market1501-our"])
    assert isinstance(missing.exception, UserError)
    assert "did you mean 'market1501-ours'" in str(missing.exception)


def test_an_unknown_profile_is_a_parameter_error() -> None:
    result = runner.invoke(app, ["doctor", "--profile", "papre"])
    assert isinstance(result.exception, UserError)
    assert "profile: wrong value" in str(result.exception)

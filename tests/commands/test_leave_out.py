"""One step takes a data set out, and nothing else changes."""

import shutil
from pathlib import Path

import pytest
import yaml

from reidpipe.commands.leave_out import leave_out
from reidpipe.errors import UserError
from reidpipe.formats import runs

ROOT = Path(__file__).parents[2]
FILES = ("runs.yaml", "dvc.yaml")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path / name)
    for run in ("dukemtmc-ours-pretrained", "msmt17-ours-pretrained"):
        (tmp_path / "reports/metrics").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"reports/metrics/{run}.json").write_text("{}")
    return tmp_path


def lines(folder: Path) -> list[str]:
    return [line for name in FILES for line in (folder / name).read_text().splitlines()]


def test_its_runs_and_results_go_and_the_rest_stays(copy: Path) -> None:
    before = yaml.safe_load((copy / "dvc.yaml").read_text())
    removed = leave_out("dukemtmc", copy)
    assert removed == [copy / "reports/metrics/dukemtmc-ours-pretrained.json"]
    after = yaml.safe_load((copy / "dvc.yaml").read_text())
    assert set(before.pop("artifacts")) - set(after.pop("artifacts")) == {"ours-dukemtmc"}
    assert after == before
    assert (copy / "reports/metrics/msmt17-ours-pretrained.json").exists()


@pytest.mark.parametrize("dataset", ["market1501", "dukemtmc", "msmt17"])
def test_no_other_line_changes_comments_included(copy: Path, dataset: str) -> None:
    before = lines(copy)
    leave_out(dataset, copy)
    after = lines(copy)
    left = runs.load(copy / "runs.yaml")
    listed = [f"datasets: [{', '.join(left.datasets)}]", f"cells: [{', '.join(left.cells)}]"]
    assert set(listed) <= set(after)
    assert dataset not in left.cells
    gone = [line for line in before if line not in after]
    assert [line for line in after if line not in before] == [x for x in listed if x not in before]
    named = (f"dataset: {dataset}", f"runs/{dataset}-", "datasets:", "cells:", f"ours-{dataset}")
    own = [line for line in gone if any(name in line for name in named)]
    assert len(gone) - len(own) <= sum(line.lstrip().startswith("#") or not line for line in before)
    assert all(line in own or line.lstrip().startswith("#") or not line for line in gone)
    assert not any(f"dataset: {dataset}," in line for line in after)


def test_what_is_not_there_cannot_be_left_out(copy: Path) -> None:
    before = lines(copy)
    with pytest.raises(UserError, match="cannot be left out") as caught:
        leave_out("duke", copy)
    assert "dukemtmc" in str(caught.value)
    assert lines(copy) == before


def test_the_last_one_stays(copy: Path) -> None:
    leave_out("dukemtmc", copy)
    leave_out("msmt17", copy)
    with pytest.raises(UserError, match="cannot be left out"):
        leave_out("market1501", copy)

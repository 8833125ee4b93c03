"""One step takes a data set out, and nothing else changes."""

import shutil
from pathlib import Path

import pytest
import yaml

from reidpipe.errors import UserError
from reidpipe.leaving_out import leave_out

ROOT = Path(__file__).parents[1]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "dvc.yaml", tmp_path / "dvc.yaml")
    for run in ("dukemtmc-ours-pretrained", "msmt17-ours-pretrained"):
        (tmp_path / "reports/metrics").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"reports/metrics/{run}.json").write_text("{}")
    return tmp_path


def test_its_stages_runs_and_results_go_and_the_rest_stays(copy: Path) -> None:
    whole = yaml.safe_load((copy / "dvc.yaml").read_text())
    removed = leave_out("dukemtmc", copy)
    rest = yaml.safe_load((copy / "dvc.yaml").read_text())
    assert set(whole["artifacts"]) - set(rest["artifacts"]) == {"ours-dukemtmc"}
    before, after = whole["stages"], rest["stages"]
    assert removed == [copy / "reports/metrics/dukemtmc-ours-pretrained.json"]
    assert after["download"]["foreach"] == after["split"]["foreach"] == ["market1501", "msmt17"]
    gone = set(before["train"]["foreach"]) - set(after["train"]["foreach"])
    assert gone == {"dukemtmc-ours-pretrained"}
    for stage in after:
        own = {key: value for key, value in after[stage].items() if key != "foreach"}
        assert own == {key: value for key, value in before[stage].items() if key != "foreach"}
    assert (copy / "reports/metrics/msmt17-ours-pretrained.json").exists()


def test_what_is_not_there_cannot_be_left_out(copy: Path) -> None:
    before = (copy / "dvc.yaml").read_text()
    with pytest.raises(UserError, match="cannot be left out") as caught:
        leave_out("duke", copy)
    assert "dukemtmc" in str(caught.value)
    assert (copy / "dvc.yaml").read_text() == before


def test_the_last_one_stays(copy: Path) -> None:
    leave_out("dukemtmc", copy)
    leave_out("msmt17", copy)
    with pytest.raises(UserError, match="cannot be left out"):
        leave_out("market1501", copy)

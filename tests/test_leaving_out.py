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


@pytest.mark.parametrize("dataset", ["market1501", "dukemtmc", "msmt17"])
def test_the_other_runs_are_the_same_whoever_named_their_values(copy: Path, dataset: str) -> None:
    whole = yaml.safe_load((copy / "dvc.yaml").read_text())
    leave_out(dataset, copy)
    text = (copy / "dvc.yaml").read_text()
    rest = yaml.safe_load(text)
    runs = whole["stages"]["train"]["foreach"]
    gone = [name for name, run in runs.items() if run["dataset"] == dataset]
    assert rest["stages"]["train"]["foreach"] == {k: v for k, v in runs.items() if k not in gone}
    assert not any(name in text for name in gone)
    assert ("plots" in rest) == (dataset != "market1501")


def test_a_picture_keeps_the_curves_that_are_left(copy: Path) -> None:
    path = copy / "dvc.yaml"
    own = "        reports/cmc/msmt17-ours-pretrained.csv: cmc\n"
    first = "        reports/cmc/market1501-baseline.csv: cmc\n"
    path.write_text(path.read_text().replace(first, first + own, 1))
    leave_out("market1501", copy)
    (picture,) = yaml.safe_load(path.read_text())["plots"]
    assert picture["table1-cmc"]["y"] == {"reports/cmc/msmt17-ours-pretrained.csv": "cmc"}


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

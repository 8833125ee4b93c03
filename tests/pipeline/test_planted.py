"""The gate on a real run: training again passes, a planted slip in the loss does not.

One run of the embedded profile at its full size: in a tiny one, everything is chance.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.clone import Clone

pytestmark = pytest.mark.slow

RUN = "market1501-tri-cir"
"""Circle loss and triplets on the plain backbone: what suffers most when the triplets do."""
STAGES = [f"{stage}@{RUN}" for stage in ("train", "extract", "evaluate")]
HARDEST = "distmat.masked_fill(~negative, torch.inf).argmin(1)"
EASIEST = "distmat.masked_fill(~negative, -torch.inf).argmax(1)"


class OneRun(Clone):
    """Nothing but RUN and its data set, at the profile's own sizes."""

    def shrink(self) -> None:
        path = self.folder / "dvc.yaml"
        text = re.sub(
            rf"^ {{6}}(?!{RUN}:)[\w-]+: \{{dataset: .*\n", "", path.read_text(), flags=re.M
        )
        text = text.replace("[market1501, dukemtmc, msmt17]", "[market1501]")
        path.write_text(text.replace("start: *scratch", "start: reidpipe/models/initial.py"))

    def gate(self, folder: Path | None = None) -> tuple[int, list[dict[str, Any]]]:
        """Exit status and verdicts of `reidpipe check` against the branch main."""
        script = "from reidpipe.cli import main; main()"
        options = ["check", "--against", "origin/main" if folder else "main", "--json"]
        where = ["env", "-C", str(folder or self.folder)]
        result = self.run(*where, "python", "-c", script, *options, check=False)
        assert result.stdout, result.stderr
        return result.returncode, json.loads(result.stdout)["rows"]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> OneRun:
    made = OneRun(tmp_path_factory.mktemp("planted") / "clone")
    made.run("dvc", "repro", f"evaluate@{RUN}")
    made.commit("trained")
    return made


def test_training_again_passes(clone: OneRun) -> None:
    clone.run("dvc", "repro", "--force", "--single-item", *STAGES)
    status, rows = clone.gate()
    assert status == 0
    assert {row["verdict"] for row in rows} == {"ok"}
    assert all(row["old"] == row["new"] for row in rows)
    assert clone.state() == ""


@pytest.fixture(scope="module")
def planted(clone: OneRun) -> OneRun:
    """A branch on which the triplet loss mines the easiest negative."""
    clone.run("git", "checkout", "-q", "-b", "slip")
    path = clone.folder / "reidpipe/losses/triplet.py"
    assert HARDEST in path.read_text()
    path.write_text(path.read_text().replace(HARDEST, EASIEST))
    clone.run("dvc", "repro", f"evaluate@{RUN}")
    clone.commit("slip")
    return clone


def test_mining_the_easiest_negative_is_a_regression_that_is_sure(planted: OneRun) -> None:
    status, rows = planted.gate()
    assert status == 1
    row = next(row for row in rows if row["metric"] == "mAP")
    assert row["verdict"] == "regression"
    assert row["new"] < row["old"]
    assert row["high"] < 0


def test_a_shallow_clone_without_rankings_refuses_it_by_the_tolerances(
    planted: OneRun, tmp_path: Path
) -> None:
    fresh = tmp_path / "fresh"
    options = ["--depth", "1", "--no-single-branch", "--branch", "slip"]
    planted.run("git", "clone", "-q", *options, planted.folder.as_uri(), str(fresh))
    status, rows = planted.gate(fresh)
    assert status == 1
    assert "mAP" in {row["metric"] for row in rows if row["verdict"] == "regression"}
    assert all(row["low"] is None for row in rows)

"""The gate on a real run: training again passes, a planted slip in the learning rate does not.

One run of the embedded profile at its full size: in a tiny one, everything is chance. A slip comes
as it would in earnest, committed with its own numbers, and the line of .ci/run judges it.
"""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pipeline.clone import ROOT, Clone

pytestmark = pytest.mark.slow

RUN = "market1501-tri-cir"
"""Circle loss and triplets on the plain backbone."""
STAGES = [f"{stage}@{RUN}" for stage in ("train", "extract", "evaluate")]
RIGHT, WRONG = 'rate * group["factor"]', 'rate / 10 * group["factor"]'
"""It costs more than chance does in one short training (docs/reproducibility.md)."""
OTHER_RUN = "market1501-tri"


class OneRun(Clone):
    """Nothing but RUN and its data set, at the profile's own sizes."""

    def shrink(self) -> None:
        self.keep(RUN)

    def keep(self, *runs: str) -> None:
        """Have these runs alone in runs.yaml, and no models to take away."""
        listed = yaml.safe_load((ROOT / "runs.yaml").read_text())
        kept = {name: listed["runs"][name] for name in runs}
        listed |= {"datasets": ["market1501"], "weights": ["random", "resnet"], "cells": []}
        listed |= {"runs": kept}
        (self.folder / "runs.yaml").write_text(yaml.safe_dump(listed))
        pipeline = (ROOT / "dvc.yaml").read_text().partition("\nartifacts:")[0]
        (self.folder / "dvc.yaml").write_text(pipeline)

    def gate(self, *options: str, folder: Path | None = None) -> tuple[int, dict[str, Any]]:
        """Exit status and findings of the line that CI runs."""
        script = "from reidpipe.cli import main; main()"
        where = ["env", "-C", str(folder or self.folder)]
        command = [*where, "python", "-c", script, *(options or ci_line()), "--json"]
        result = self.run(*command, check=False)
        assert result.stdout, result.stderr
        return result.returncode, json.loads(result.stdout)


def ci_line() -> list[str]:
    """Arguments of `reidpipe check` in .ci/run, where no base is named."""
    (line,) = re.findall(
        r"^step \.venv/bin/reidpipe (check.*)$", (ROOT / ".ci/run").read_text(), re.M
    )
    words = shlex.split(line)
    assert words[-1] == "${CHECK_AGAINST:-previous}"
    return [*words[:-1], "previous"]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> OneRun:
    made = OneRun(tmp_path_factory.mktemp("planted") / "clone")
    made.run("dvc", "repro", f"evaluate@{RUN}")
    made.commit("trained")
    return made


def test_training_again_passes_and_is_reproduced(clone: OneRun) -> None:
    clone.run("dvc", "repro", "--force", "--single-item", *STAGES)
    status, found = clone.gate("check", "--against", "HEAD")
    assert status == 0
    assert {row["verdict"] for row in found["rows"]} == {"ok"}
    assert all(row["old"] == row["new"] for row in found["rows"])
    assert found["reproduced"].startswith("reproduced: yes")
    assert clone.state() == ""


@pytest.fixture(scope="module")
def planted(clone: OneRun, tmp_path_factory: pytest.TempPathFactory) -> OneRun:
    """A branch that learns at a tenth of the rate, and says so in its numbers."""
    slip = clone.copy(tmp_path_factory.mktemp("slip") / "clone")
    path = slip.folder / "reidpipe/training/phases.py"
    assert path.read_text().count(RIGHT) == 1
    path.write_text(path.read_text().replace(RIGHT, WRONG))
    slip.run("dvc", "repro", f"evaluate@{RUN}")
    slip.commit("slip")
    (slip.folder / "README.md").write_text("an unrelated commit after it\n")
    slip.commit("unrelated")
    return slip


def test_a_slip_committed_with_its_numbers_fails_in_ci(planted: OneRun) -> None:
    status, found = planted.gate()
    assert status == 1
    row = next(r for r in found["rows"] if (r["run"], r["metric"]) == (RUN, "mAP"))
    assert row["verdict"] == "regression"
    assert row["new"] < row["old"]
    assert row["high"] < 0
    assert found["unknown"] == []
    assert found["reproduced"].startswith("reproduced: yes")


def test_a_fresh_clone_without_any_cache_finds_the_same(planted: OneRun, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    planted.run("git", "clone", "-q", planted.folder.as_uri(), str(fresh))
    (_, here), (status, there) = planted.gate(), planted.gate(*ci_line(), folder=fresh)
    assert status == 1
    assert there["rows"] == here["rows"]


def test_a_slip_that_was_accepted_in_the_open_passes(planted: OneRun) -> None:
    _, found = planted.gate()
    lost = [row for row in found["rows"] if row["verdict"] == "regression"]
    lines = [
        f"- {{run: {row['run']}, metric: {row['metric']}, from: {row['old']:.2f}, "
        f"to: {row['new']:.2f}, reason: slowly is wanted}}\n"
        for row in lost
    ]
    path = planted.folder / "reports/accepted.yaml"
    path.write_text("".join(lines))
    status, found = planted.gate()
    path.unlink()
    assert status == 0
    assert {row["verdict"] for row in found["rows"]} >= {"accepted"}


def test_a_change_that_adds_a_run_and_nothing_else_passes(clone: OneRun, tmp_path: Path) -> None:
    made = clone.copy(tmp_path / "added")
    made.keep(RUN, OTHER_RUN)
    for kind in ("metrics", "queries"):
        # What a training would leave; the gate looks at nothing else.
        suffix = "json" if kind == "metrics" else "csv"
        folder = made.folder / f"reports/{kind}"
        shutil.copy(folder / f"{RUN}.{suffix}", folder / f"{OTHER_RUN}.{suffix}")
    made.commit("another run")
    status, found = made.gate()
    assert status == 0
    assert [row["run"] for row in found["rows"] if row["verdict"] == "new"] == [OTHER_RUN]

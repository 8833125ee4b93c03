"""The gate in a small repository: what passes, what is a regression, what cannot be compared."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from reidpipe.check import rendering
from reidpipe.check.rows import Outcome
from reidpipe.check.verdicts import check
from reidpipe.cli import app
from reidpipe.errors import UserError
from reidpipe.evaluation import write_ranking
from reidpipe.metrics.ranking import Ranking
from reidpipe.params import load
from reidpipe.runtime.streams import stream
from tests.first_operation import first_operation

ROOT = Path(__file__).parents[1]
METRICS = {"rank1": 60.0, "rank5": 80.0, "mAP": 45.0, "mINP": 20.0, "num_query": 200}
TOLERANCE = "tolerance: {rank1: 1.0, rank5: 1.0, mAP: 0.5, mINP: 0.5}"
PIPELINE = """
stages:
  evaluate:
    foreach: [one, two]
    do:
      cmd: "true"
      outs: ["runs/${item}/ranking.npz"]
      metrics:
        - reports/metrics/${item}.json: {cache: false}
"""
RUN_ONE = Path("reports/metrics/one.json")


def run(*command: str) -> None:
    identity = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t"}
    identity |= {"GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@t"}
    environment = {**os.environ, **identity, "DVC_NO_ANALYTICS": "1"}
    subprocess.run(command, check=True, capture_output=True, env=environment)


def ranking(average_precision: np.ndarray) -> Ranking:
    count = len(average_precision)
    return Ranking(
        query=np.arange(count),
        first_match=(average_precision < 0.5).astype(np.int64),
        average_precision=average_precision,
        inp=average_precision / 2,
        top=np.zeros((count, 1), np.int64),
        top_distance=np.zeros((count, 1), np.float32),
        num_query=count,
    )


def results(name: str, precision: np.ndarray) -> None:
    """A ranking and the metrics that follow from it."""
    found = ranking(precision)
    write_ranking(Path(f"runs/{name}/ranking.npz"), found)
    metrics = {
        "rank1": float((found.first_match < 1).mean() * 100),
        "rank5": 100.0,
        "mAP": float(precision.mean() * 100),
        "mINP": float(found.inp.mean() * 100),
        "num_query": len(precision),
    }
    write(Path(f"reports/metrics/{name}.json"), metrics)


def write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


PRECISION = stream("precision").uniform(0.2, 0.7, 200)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with committed metrics of two runs, whose rankings are in the DVC cache."""
    folder = tmp_path_factory.mktemp("gate") / "repository"
    folder.mkdir()
    before = Path.cwd()
    os.chdir(folder)
    try:
        run("git", "init", "-q", "-b", "main")
        run("dvc", "init", "-q")
        content = (ROOT / "params.yaml").read_text().splitlines()
        lines = [f"  {TOLERANCE}" if line.startswith("  tolerance:") else line for line in content]
        Path("params.yaml").write_text("\n".join(lines) + "\n")
        Path("dvc.yaml").write_text(PIPELINE)
        for name in ("one", "two"):
            results(name, PRECISION)
        run("dvc", "commit", "-q", "-f")
        run("git", "add", "-A")
        run("git", "commit", "-q", "-m", "results")
    finally:
        os.chdir(before)
    return folder


@pytest.fixture(autouse=True)
def repository(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(original, tmp_path / "copy", symlinks=True)
    monkeypatch.chdir(tmp_path / "copy")


def outcome() -> Outcome:
    return check("HEAD", load())


def changed(**values: object) -> None:
    write(RUN_ONE, {**json.loads(RUN_ONE.read_text()), **values})


def test_equal_metrics_pass_also_without_rankings() -> None:
    assert outcome().status == 0
    shutil.rmtree("runs")
    found = outcome()
    assert found.status == 0
    assert {row.metric for row in found.rows} == {"rank1", "rank5", "mAP", "mINP"}


def test_check_computes_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """So it has no instructions to set. A loss: rankings are compared."""
    changed(mAP=json.loads(RUN_ONE.read_text())["mAP"] - 3)
    with first_operation(monkeypatch) as found:
        assert outcome().status
    assert not found


def test_a_gain_and_a_loss_within_the_tolerance_pass() -> None:
    old = json.loads(RUN_ONE.read_text())
    shutil.rmtree("runs")
    changed(mAP=old["mAP"] + 30, rank1=old["rank1"] - 1.0)
    assert outcome().status == 0


def test_a_loss_beyond_the_tolerance_is_a_regression_without_rankings() -> None:
    old = json.loads(RUN_ONE.read_text())["mAP"]
    shutil.rmtree("runs")
    changed(mAP=old - 0.51)
    found = outcome()
    assert found.status == 1
    (row,) = found.of("regression")
    assert (row.name, row.metric) == ("one", "mAP")


def test_a_sure_loss_is_a_regression_by_the_paired_bootstrap() -> None:
    results("one", PRECISION - 0.02)
    found = outcome()
    assert found.status == 1
    row = next(row for row in found.of("regression") if row.metric == "mAP")
    assert row.high is not None
    assert row.high < 0


def test_a_loss_that_may_be_chance_is_undecided() -> None:
    noise = stream("noise").normal(0, 0.2, len(PRECISION))
    noise += -0.008 - noise.mean()
    results("one", PRECISION + noise)
    found = outcome()
    row = next(row for row in found.rows if row.name == "one" and row.metric == "mAP")
    assert row.verdict == "undecided"


def missing() -> None:
    RUN_ONE.unlink()


def no_json() -> None:
    RUN_ONE.write_text("{")


def extra() -> None:
    Path("dvc.yaml").write_text(PIPELINE.replace("[one, two]", "[one, two, three]"))
    results("three", PRECISION)


def other_profile() -> None:
    path = Path("params.yaml")
    path.write_text(path.read_text().replace("profile: embedded", "profile: paper"))


def nothing() -> None:
    for name in ("one", "two"):
        write(Path(f"reports/metrics/{name}.json"), {"other": 1.0})
    run("git", "commit", "-qam", "no metric")


def null_on_both_sides() -> None:
    changed(mAP=None)
    run("git", "commit", "-qam", "null")


def all_null() -> None:
    write(RUN_ONE, {"mAP": None})
    run("git", "commit", "-qam", "nulls")


def nan_before() -> None:
    changed(mAP=float("nan"))
    run("git", "commit", "-qam", "NaN")
    changed(mAP=45.0)


def removed() -> None:
    Path("dvc.yaml").write_text(PIPELINE.replace("[one, two]", "[two]"))


def never_evaluated() -> None:
    Path("dvc.yaml").write_text(PIPELINE.replace("[one, two]", "[one, two, three]"))


def unknown_metric() -> None:
    path = Path("params.yaml")
    path.write_text(path.read_text().replace("{rank1: 1.0", "{rnak1: 1.0"))


def other_queries() -> None:
    results("one", PRECISION - 0.02)
    found = replace(ranking(PRECISION - 0.02), query=np.arange(1, 201))
    write_ranking(Path("runs/one/ranking.npz"), found)


def broken_ranking() -> None:
    results("one", PRECISION - 0.02)
    Path("runs/one/ranking.npz").write_bytes(b"PK")


ODD: dict[str, tuple[Callable[[], None], str]] = {
    "missing file": (missing, "missing, not JSON"),
    "not JSON": (no_json, "not JSON"),
    "extra run": (extra, "extra"),
    "null": (lambda: changed(mAP=None), "null"),
    "NaN": (lambda: changed(mAP=float("nan")), "not a finite number"),
    "missing metric": (lambda: write(RUN_ONE, {"rank1": 60.0}), "missing"),
    "other test set": (lambda: changed(num_query=199), "other data"),
    "text": (lambda: changed(mAP="high"), "text"),
    "other profile": (other_profile, "profile embedded in HEAD, paper in the workspace"),
    "nothing to compare": (nothing, "nothing to compare"),
    "null on both sides": (null_on_both_sides, "missing or null on both sides"),
    "nothing but null": (all_null, "without a number"),
    "NaN before": (nan_before, "not a finite number in HEAD"),
    "removed run": (removed, "missing: only HEAD has it"),
    "run never evaluated": (never_evaluated, "missing, not JSON"),
    "unknown metric": (unknown_metric, "did you mean 'rank1'"),
    "other queries": (other_queries, "different queries"),
    "broken ranking": (broken_ranking, "not a ranking that reidpipe wrote"),
}


@pytest.mark.parametrize("case", ODD)
def test_what_cannot_be_compared_is_named(case: str) -> None:
    change, reason = ODD[case]
    change()
    found = outcome()
    assert found.status == 2, rendering.markdown(found)
    assert any(reason in row.reason for row in found.of("incomparable"))


def test_a_lost_file_is_named_once() -> None:
    missing()
    assert [row.name for row in outcome().of("incomparable")] == ["one"]


def test_a_regression_is_certain_whatever_else_is_missing() -> None:
    old = json.loads(RUN_ONE.read_text())["mAP"]
    changed(mAP=old - 2)
    Path("reports/metrics/two.json").unlink()
    found = outcome()
    assert found.status == 1
    assert [row.name for row in found.of("incomparable")] == ["two"]


def test_a_ranking_of_other_results_says_nothing_about_chance() -> None:
    old = json.loads(RUN_ONE.read_text())["mAP"]
    changed(mAP=old - 2)
    (row,) = outcome().of("regression")
    assert row.high is None


def test_a_revision_that_is_not_here() -> None:
    with pytest.raises(UserError, match="no such revision"):
        check("elsewhere", load())


def test_a_shallow_clone_is_enough(original: Path, tmp_path: Path) -> None:
    run("git", "clone", "-q", "--depth", "1", original.as_uri(), str(tmp_path / "shallow"))
    os.chdir(tmp_path / "shallow")
    assert outcome().status == 0


def test_the_command_prints_a_table_markdown_or_json_and_exits_by_the_verdict() -> None:
    old = json.loads(RUN_ONE.read_text())["mAP"]
    shutil.rmtree("runs")
    changed(mAP=old - 2)
    terminal, markdown, document = (
        CliRunner().invoke(app, ["check", *options]) for options in ([], ["--md"], ["--json"])
    )
    assert [result.exit_code for result in (terminal, markdown, document)] == [1, 1, 1]
    assert "REGRESSION" in terminal.stdout
    assert "| one | mAP |" in markdown.stdout
    rows = json.loads(document.stdout)["rows"]
    assert len(rows) == 8
    assert [row["metric"] for row in rows if row["verdict"] == "regression"] == ["mAP"]

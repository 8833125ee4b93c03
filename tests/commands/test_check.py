"""The gate in a small repository: what passes, what is a regression, what cannot be compared.

What is noise and what is not: test_noise.py, test_chance.py.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import dvc.cli
import dvc.ui
import numpy as np
import pytest
from typer.testing import CliRunner

from reidpipe.cli import app
from reidpipe.commands.check import rendering
from reidpipe.commands.check.base import base
from reidpipe.commands.check.rows import Outcome
from reidpipe.commands.check.verdicts import check
from reidpipe.errors import UserError
from reidpipe.formats import queries, seeds
from reidpipe.formats.params import load
from reidpipe.formats.ranking import Ranking
from reidpipe.formats.seeds import Seeds
from reidpipe.runtime.git import resolve
from reidpipe.runtime.streams import stream
from tests.first_operation import first_operation

ROOT = Path(__file__).parents[2]
METRICS = {"rank1": 60.0, "rank5": 80.0, "mAP": 45.0, "mINP": 20.0, "num_query": 200}
TOLERANCE = "tolerance: {rank1: 1.0, rank5: 1.0, mAP: 0.5, mINP: 0.5}"
PIPELINE = """
stages:
  evaluate:
    foreach: [one, two]
    do:
      cmd: "true"
      metrics:
        - reports/metrics/${item}.json: {cache: false}
"""
LOCK = """
schema: '2.0'
stages:
  train@one:
    cmd: python -m stages.train
    params: {plan.json: {train.one: {}}}
    outs:
    - {path: runs/one/model.safetensors, md5: aaaa}
  train@two:
    cmd: python -m stages.train
    params: {plan.json: {train.two: {}}}
    outs:
    - {path: runs/two/model.safetensors, md5: bbbb}
"""
RUN_ONE = Path("reports/metrics/one.json")
SCORES_ONE = Path("reports/queries/one.csv")


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
    """Scores per query and the metrics that follow from them."""
    found = ranking(precision)
    queries.write(Path(f"reports/queries/{name}.csv"), found.queries)
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
    """A repository with committed metrics and scores of two runs."""
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
        Path("dvc.lock").write_text(LOCK)
        run("git", "add", "-A")
        run("git", "commit", "-q", "-m", "results")
    finally:
        os.chdir(before)
    return folder


def dvc_here(*arguments: str) -> str:
    """DVC in this process: importing it is most of what a check costs."""
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_TEST", "1")
        patch.setattr(dvc.ui.ui, "error_write", lambda *_, **__: None)
        patch.setattr(dvc.ui.ui, "write", lambda *text, **_: said.extend(map(str, text)))
        status = dvc.cli.main([*arguments])
    if status:
        raise UserError("DVC failed", where=arguments)
    return "\n".join(said)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reidpipe.runtime.dvc.dvc", dvc_here)
    monkeypatch.delenv("CHECK_AGAINST", raising=False)  # of the CI run that this is part of


@pytest.fixture(autouse=True)
def repository(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(original, tmp_path / "copy", symlinks=True)
    monkeypatch.chdir(tmp_path / "copy")


def outcome() -> Outcome:
    return check("HEAD", load())


def changed(**values: object) -> None:
    write(RUN_ONE, {**json.loads(RUN_ONE.read_text()), **values})


def without_scores() -> None:
    shutil.rmtree("reports/queries")


def test_equal_metrics_pass_also_without_scores() -> None:
    assert outcome().status == 0
    without_scores()
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
    without_scores()
    changed(mAP=old["mAP"] + 30, rank1=old["rank1"] - 1.0)
    assert outcome().status == 0


def test_a_loss_beyond_the_tolerance_is_a_regression_where_nothing_is_known_of_chance() -> None:
    old = json.loads(RUN_ONE.read_text())["mAP"]
    without_scores()
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
    noise = stream("noise").normal(0, 0.06, len(PRECISION))
    noise += -0.006 - noise.mean()
    results("one", PRECISION + noise)
    found = outcome()
    row = next(row for row in found.rows if row.name == "one" and row.metric == "mAP")
    assert row.verdict == "undecided"


def missing() -> None:
    RUN_ONE.unlink()


def no_json() -> None:
    RUN_ONE.write_text("{")


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


def never_evaluated() -> None:
    Path("dvc.yaml").write_text(PIPELINE.replace("[one, two]", "[one, two, three]"))


def unknown_metric() -> None:
    path = Path("params.yaml")
    path.write_text(path.read_text().replace("{rank1: 1.0", "{rnak1: 1.0"))


def other_queries() -> None:
    results("one", PRECISION - 0.02)
    found = replace(ranking(PRECISION - 0.02), query=np.arange(1, 201))
    queries.write(SCORES_ONE, found.queries)


def broken_scores() -> None:
    results("one", PRECISION - 0.02)
    SCORES_ONE.write_text("query,ap\n")


ODD: dict[str, tuple[Callable[[], None], str]] = {
    "missing file": (missing, "missing, not JSON"),
    "not JSON": (no_json, "not JSON"),
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
    "run never evaluated": (never_evaluated, "missing, not JSON"),
    "unknown metric": (unknown_metric, "did you mean 'rank1'"),
    "other queries": (other_queries, "the queries are others"),
    "broken scores": (broken_scores, "not a table of scores per query"),
}


@pytest.mark.parametrize("case", ODD)
def test_what_cannot_be_compared_is_named(case: str) -> None:
    change, reason = ODD[case]
    change()
    found = outcome()
    assert found.status == 2, rendering.markdown(found)
    assert any(reason in row.reason for row in found.of("incomparable"))


def test_a_run_that_is_new_passes() -> None:
    Path("dvc.yaml").write_text(PIPELINE.replace("[one, two]", "[one, two, three]"))
    results("three", PRECISION)
    found = outcome()
    assert found.status == 0
    assert [row.name for row in found.of("new")] == ["three"]
    assert "1 new" in rendering.summary(found)


def test_a_run_of_one_camera_is_not_evaluated() -> None:
    Path("dvc.yaml").write_text(PIPELINE.replace("[one, two]", "[one, two, three]"))
    write(Path("reports/metrics/three.json"), {"num_query": 7, "num_skipped": 7})
    found = outcome()
    assert found.status == 0
    assert [row.name for row in found.of("not evaluated")] == ["three"]
    assert "1 not evaluated" in rendering.summary(found)


def test_a_run_that_dvc_yaml_has_lost_as_well_passes() -> None:
    Path("dvc.yaml").write_text(PIPELINE.replace("[one, two]", "[two]"))
    RUN_ONE.unlink()
    found = outcome()
    assert found.status == 0
    assert [row.name for row in found.of("removed")] == ["one"]


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


def test_scores_of_other_results_say_nothing_about_chance() -> None:
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
    without_scores()
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


def accept(text: str) -> None:
    Path("reports/accepted.yaml").write_text(text)


def test_a_loss_that_was_accepted_passes_and_what_goes_beyond_it_does_not() -> None:
    old = json.loads(RUN_ONE.read_text())["mAP"]
    without_scores()
    accept(f"- {{run: one, metric: mAP, from: {old:.2f}, to: {old - 3:.2f}, reason: repeats}}")
    changed(mAP=old - 3)
    found = outcome()
    assert found.status == 0
    (row,) = found.of("accepted")
    assert (row.name, row.metric, row.reason) == ("one", "mAP", "repeats")
    changed(mAP=old - 3.6)
    assert outcome().status == 1


@pytest.mark.parametrize(
    "other", ["run: two, metric: mAP, from: 45.00", "run: one, metric: rank1, from: 45.00"]
)
def test_an_acceptance_of_something_else_changes_nothing(other: str) -> None:
    old = json.loads(RUN_ONE.read_text())["mAP"]
    without_scores()
    accept(f"- {{{other}, to: 1.00, reason: repeats}}")
    changed(mAP=old - 3)
    assert outcome().status == 1


def test_an_acceptance_holds_for_one_step_only() -> None:
    old = json.loads(RUN_ONE.read_text())["mAP"]
    without_scores()
    accept(f"- {{run: one, metric: mAP, from: {old + 2:.2f}, to: {old - 3:.2f}, reason: repeats}}")
    changed(mAP=old - 3)
    assert outcome().status == 1


def test_other_data_can_be_accepted_by_their_counts() -> None:
    changed(num_query=150, mAP=1.0)
    assert outcome().status == 2
    accept(
        "- {run: one, metric: data, from: {num_query: 200}, to: {num_query: 150}, reason: halved}"
    )
    found = outcome()
    assert found.status == 0
    assert [row.reason for row in found.of("accepted")] == ["other data: halved"]
    changed(num_query=149)
    assert outcome().status == 2


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "run: one",
        "- {run: one}",
        "- {run: one, metric: m, from: .nan, to: 1, reason: r}",
        "- {run: one, metric: mAP, from: 38.0, to: {mAP: 36.0}, reason: r}",
        "- {run: one, metric: data, from: 38.0, to: 36.0, reason: r}",
    ],
)
def test_a_broken_list_of_acceptances_is_named(text: str) -> None:
    accept(text)
    with pytest.raises(UserError, match=r"accepted changes (cannot be read|are not YAML)"):
        outcome()


def test_a_network_of_equal_bytes_has_no_noise_of_training() -> None:
    """The lock says that `one` was not trained again: its loss is the evaluation's."""
    seeds.write(Path("reports/seeds/one.csv"), scattered(spread=0.2))
    results("one", PRECISION - 0.02)
    assert outcome().status == 1
    Path("dvc.lock").write_text(LOCK.replace("aaaa", "cccc"))
    assert outcome().status == 0


def scattered(spread: float) -> Seeds:
    draws = [stream("seed", number).normal() for number in range(5)]
    precision = [(PRECISION + spread * draw).clip(0, 1) for draw in draws]
    found = {seed: ranking(values).queries for seed, values in enumerate(precision)}
    return Seeds("embedded", "hash", found)


def test_where_training_is_unknown_it_says_so() -> None:
    results("one", PRECISION - 0.02)
    Path("dvc.lock").write_text(LOCK.replace("aaaa", "cccc"))
    found = outcome()
    assert found.unknown == ("one",)
    assert "reidpipe seeds --train" in rendering.markdown(found)
    seeds.write(Path("reports/seeds/two.csv"), scattered(spread=0.01))
    assert outcome().unknown == ()


def commit(message: str = "change") -> None:
    run("git", "add", "-A")
    run("git", "commit", "-q", "-m", message)


def test_without_a_name_a_changed_workspace_is_compared_with_head() -> None:
    changed(mAP=44.0)
    assert base("") == "HEAD"


def test_a_commit_is_never_compared_with_itself() -> None:
    """Worse numbers that are committed, and what comes after them."""
    results("one", PRECISION - 0.05)
    commit("worse")
    Path("note").write_text("unrelated")
    commit("unrelated")
    for asked in ("", "previous"):
        revision = base(asked)
        assert revision
        assert check(revision, load()).status == 1
    assert outcome().status == 0  # HEAD with itself


def test_a_commit_of_metrics_in_a_merged_branch_counts_at_its_merge() -> None:
    run("git", "checkout", "-q", "-b", "topic")
    results("one", PRECISION - 0.05)
    commit("worse")
    results("one", PRECISION - 0.06)
    commit("worse still")
    run("git", "checkout", "-q", "main")
    run("git", "merge", "-q", "--no-ff", "-m", "merged", "topic")
    revision = base("previous")
    assert revision
    assert resolve(revision) == resolve("main^1")
    assert check(revision, load()).status == 1


def test_the_first_results_have_nothing_to_be_compared_with() -> None:
    assert base("previous") is None
    found = check(None, load())
    assert found.status == 0
    assert "no earlier results" in rendering.summary(found)


def test_a_shallow_clone_says_what_to_do(tmp_path: Path) -> None:
    results("one", PRECISION - 0.05)
    commit("worse")
    source = Path.cwd().as_uri()
    for depth, enough in (("1", False), ("2", True)):
        run("git", "clone", "-q", "--depth", depth, source, str(tmp_path / depth))
        os.chdir(tmp_path / depth)
        if enough:
            assert check(base("previous"), load()).status == 1
        else:
            with pytest.raises(UserError, match="shallow") as caught:
                base("previous")
            assert "CHECK_AGAINST" in str(caught.value)


def test_the_variable_names_the_base(monkeypatch: pytest.MonkeyPatch) -> None:
    results("one", PRECISION - 0.05)
    commit("worse")
    runner = CliRunner()
    monkeypatch.setenv("CHECK_AGAINST", "HEAD")
    assert runner.invoke(app, ["check"]).exit_code == 0
    monkeypatch.setenv("CHECK_AGAINST", "")
    assert runner.invoke(app, ["check"]).exit_code == 1


def test_bytes_are_a_line_of_their_own() -> None:
    assert outcome().reproduced.startswith("reproduced: yes")
    Path("dvc.lock").write_text(LOCK.replace("aaaa", "cccc"))
    found = outcome()
    assert found.status == 0
    assert "reproduced: no, 1 stage (train@one)" in found.reproduced
    shown = CliRunner().invoke(app, ["reproduced"])
    assert "git restore . && dvc checkout" in shown.stdout
    Path("dvc.lock").write_text(LOCK.replace("stages.train", "stages.other"))
    assert "other inputs" in outcome().reproduced


def test_what_a_run_lost_is_said_also_where_another_metric_is_no_number() -> None:
    without_scores()
    changed(mINP=float("nan"), rank1=20.0)
    found = outcome()
    assert found.status == 1
    assert [row.metric for row in found.of("regression")] == ["rank1"]
    assert [row.metric for row in found.of("incomparable")] == ["mINP"]


def test_a_metric_that_the_code_begins_to_write_is_no_obstacle() -> None:
    for name in ("one", "two"):
        path = Path(f"reports/metrics/{name}.json")
        write(path, {**json.loads(path.read_text()), "another": 1.0})
    assert outcome().status == 0


def test_counts_of_the_data_that_the_code_ceases_to_write_are_missed() -> None:
    for name in ("one", "two"):
        path = Path(f"reports/metrics/{name}.json")
        content = json.loads(path.read_text())
        del content["num_query"]
        write(path, content)
    assert outcome().status == 2


def test_text_is_no_obstacle_where_nothing_is_judged_by_it() -> None:
    """As the layout in the figures of a data set."""
    changed(layout="market1501")
    commit("text")
    assert outcome().status == 0
    changed(mAP="high")
    commit("text for a number")
    found = outcome()
    assert found.status == 2
    assert [row.metric for row in found.of("incomparable")] == ["mAP"]


def test_accepted_steps_follow_each_other_and_hide_nothing_else() -> None:
    old = json.loads(RUN_ONE.read_text())["mAP"]
    without_scores()
    accept(
        f"- {{run: one, metric: mAP, from: {old - 3:.2f}, to: {old - 5:.2f}, reason: second}}\n"
        f"- {{run: one, metric: mAP, from: {old:.2f}, to: {old - 3:.2f}, reason: first}}\n"
    )
    changed(mAP=old - 5)
    (row,) = outcome().of("accepted")
    assert row.reason == "first; second"
    results("one", PRECISION)
    assert {row.verdict for row in outcome().rows} == {"ok"}  # nothing was lost


def test_an_acceptance_that_the_base_has_already_is_spent() -> None:
    old = json.loads(RUN_ONE.read_text())["mAP"]
    without_scores()
    accept(f"- {{run: one, metric: mAP, from: {old:.2f}, to: {old - 3:.2f}, reason: repeats}}")
    commit("accepted once")
    changed(mAP=old - 3)
    assert outcome().status == 1


def test_noise_is_that_of_the_base_where_it_has_seeds() -> None:
    """A slip that makes training unstable brings seeds that would excuse it."""
    seeds.write(Path("reports/seeds/one.csv"), scattered(spread=0.001))
    commit("seeds")
    Path("dvc.lock").write_text(LOCK.replace("aaaa", "cccc"))
    results("one", PRECISION - 0.05)
    seeds.write(Path("reports/seeds/one.csv"), scattered(spread=0.3))
    assert outcome().status == 1


def test_a_repository_without_a_lock_is_judged_all_the_same() -> None:
    Path("dvc.lock").unlink()
    commit("no lock")
    without_scores()
    changed(mAP=40.0)
    found = outcome()
    assert found.status == 1
    assert "lock" in found.reproduced

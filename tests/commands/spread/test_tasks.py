"""Which tasks there are, what each needs, and that nothing comes before what it needs."""

import json
import re
from graphlib import TopologicalSorter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reidpipe.commands.spread.tasks import graph, task_of, tasks
from reidpipe.formats.plan import PLAN_FILE
from tests.fresh import ROOT

STAGES = {
    "resolve": set[str](),
    "download@d": set[str](),
    "split@d": {"download@d"},
    "weights@w": set[str](),
    "train@a": {"download@d", "split@d", "weights@w"},
    "extract@a": {"download@d", "split@d", "train@a"},
    "evaluate@a": {"extract@a"},
    "train@b": {"download@d", "split@d", "train@a"},
    "extract@b": {"download@d", "split@d", "train@b"},
    "evaluate@b": {"extract@b"},
    "report": {"evaluate@a", "evaluate@b", "split@d"},
}
ALL = STAGES.keys()


def test_a_run_is_a_task_and_so_is_a_data_set() -> None:
    found = {task.name: task for task in tasks(STAGES, ALL)}
    assert sorted(found) == ["a", "b", "data@d", "weights@w"]
    assert found["a"].stages == ("train@a", "extract@a", "evaluate@a")
    assert found["a"].needs == ("data@d", "weights@w")
    assert {*found["a"].first} == {"download@d", "split@d", "weights@w"}
    assert found["b"].needs == ("a", "data@d", "weights@w")
    assert "train@a" in found["b"].first


def test_what_is_up_to_date_is_no_task_and_is_still_brought_first() -> None:
    (only,) = tasks(STAGES, {"evaluate@b"})
    assert (only.name, only.needs) == ("b", ())
    assert "train@a" in only.first


def test_what_follows_a_stale_stage_is_stale() -> None:
    assert [task.name for task in tasks(STAGES, {"weights@w"})] == ["weights@w", "a", "b"]
    assert [task.name for task in tasks(STAGES, {"extract@a"})] == ["a"]


def test_nothing_is_stale_or_the_whole_workspace_is_needed() -> None:
    assert tasks(STAGES, set()) == []
    assert tasks(STAGES, {"resolve", "report"}) == []


def test_wanted_runs_bring_what_they_need_alone() -> None:
    assert [task.name for task in tasks(STAGES, ALL, ["a"])] == ["data@d", "weights@w", "a"]
    assert [task.name for task in tasks(STAGES, {"evaluate@b"}, ["a"])] == []


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, set[str]]:
    """Runs, each starting from weights or from an earlier run."""
    found = {stage: STAGES[stage] for stage in ("resolve", "download@d", "split@d", "weights@w")}
    for number in range(draw(st.integers(1, 6))):
        starts = ["weights@w", *(f"train@r{other}" for other in range(number))]
        train = f"train@r{number}"
        found[train] = {"split@d", draw(st.sampled_from(starts))}
        found[f"extract@r{number}"] = {train}
        found[f"evaluate@r{number}"] = {f"extract@r{number}"}
    return found


@given(graphs(), st.data())
def test_every_stale_stage_is_done_once_after_all_that_it_needs(
    stages: dict[str, set[str]], data: st.DataObject
) -> None:
    stale = data.draw(st.sets(st.sampled_from(sorted(stages.keys() - {"resolve"}))))
    found = tasks(stages, stale)
    done: list[str] = []
    for task in found:
        assert {*task.needs} <= {task_of(stage) for stage in done}
        done += task.stages
    assert len(done) == len(set(done))
    todo = {*stale}
    for stage in TopologicalSorter(stages).static_order():
        todo |= {stage} if stages[stage] & todo else set()
    assert todo <= {*done}
    for task in found:
        ready = [*task.first, *task.stages]
        for stage in task.stages:
            assert stages[stage] <= {*ready[: ready.index(stage)]}


def test_the_pipeline_s_own_graph() -> None:
    found = {task.name: task for task in tasks(graph(), graph())}
    plan = json.loads((ROOT / PLAN_FILE).read_text())
    assert plan["train"].keys() <= found.keys()
    for name, entry in plan["train"].items():
        before = re.fullmatch(r"runs/(.*)/model\.safetensors", entry["start"])
        if before:
            assert before[1] in found[name].needs
        assert f"data@{entry['dataset']}" in found[name].needs


@pytest.mark.parametrize(
    ("stage", "task"),
    [
        ("train@market1501-ours", "market1501-ours"),
        ("evaluate@a", "a"),
        ("market1501-ours", "market1501-ours"),
        ("split@msmt17", "data@msmt17"),
        ("pose", "pose"),
        ("cell@msmt17", "cell@msmt17"),
    ],
)
def test_a_stage_names_its_task(stage: str, task: str) -> None:
    assert task_of(stage) == task

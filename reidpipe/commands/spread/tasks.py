"""What is to be done, in portions that can go to different machines."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter

from reidpipe.formats import lock
from reidpipe.runtime.dvc import dvc

DATA = ("download", "split")
LEFT = ("resolve", "report")
"""Stages that are no task: what they need is the whole workspace, which has them at the end."""
_EDGE = re.compile(r'^\s*"([^"]+)"(?: -> "([^"]+)")?;?$', re.MULTILINE)
Graph = Mapping[str, Collection[str]]
"""By stage, the stages that it needs."""


@dataclass(frozen=True)
class Task:
    """Stages that run in a row, on one machine."""

    name: str
    """The name of a run, else `data@DATASET` or that of its stage."""
    stages: tuple[str, ...]
    """Its own, in order."""
    first: tuple[str, ...]
    """All that these need of other tasks, in order."""
    needs: tuple[str, ...]
    """The tasks that are to end before it, sorted."""


def graph() -> dict[str, set[str]]:
    """The stages of dvc.yaml.

    Raises:
        UserError: DVC cannot tell.
    """
    found: dict[str, set[str]] = {}
    for needed, stage in _EDGE.findall(dvc("dag", "--dot")):
        found.setdefault(needed, set())
        if stage:
            found.setdefault(stage, set()).add(needed)
    return found


def tasks(stages: Graph, stale: Collection[str], wanted: Collection[str] = ()) -> list[Task]:
    """The tasks in which a stage is stale or needs one that is, each after those that it needs.

    `wanted` names tasks to which all is restricted, with what they need; without any it is all.
    """
    order = [s for s in TopologicalSorter(stages).static_order() if s not in LEFT]
    own: dict[str, list[str]] = {}
    for stage in order:
        own.setdefault(task_of(stage), []).append(stage)
    needed = {stage: _needed(stage, stages) - {*LEFT} for stage in order}
    todo = {stage for stage in order if not needed[stage].isdisjoint(stale) or stage in stale}
    names = {task_of(stage) for stage in todo}
    if wanted:
        kept = {s for name in wanted for stage in own[name] for s in (stage, *needed[stage])}
        names &= {task_of(stage) for stage in kept}
    found = []
    for name, inside in own.items():
        if name in names:
            before = set[str]().union(*(needed[stage] for stage in inside)) - {*inside}
            first = tuple(stage for stage in order if stage in before)
            needs = {task_of(stage) for stage in first} & names
            found.append(Task(name, tuple(inside), first, tuple(sorted(needs))))
    place = {task.name: task for task in found}
    ordered = TopologicalSorter({task.name: task.needs for task in found}).static_order()
    return [place[name] for name in ordered]


def task_of(stage: str) -> str:
    """The name of the task that a stage belongs to."""
    kind, _, item = stage.partition("@")
    if kind in lock.STAGES:
        return item
    return f"data@{item}" if kind in DATA else stage


def _needed(stage: str, stages: Graph) -> set[str]:
    """All that comes before a stage."""
    found: set[str] = set()
    rest = [*stages[stage]]
    while rest:
        if (one := rest.pop()) not in found:
            found.add(one)
            rest += stages[one]
    return found

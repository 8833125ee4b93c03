"""Experiments of a commit, or of all, and the commits themselves, as `dvc exp show` lists them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from typing import Any

from reidpipe.formats import lock
from reidpipe.formats.plan import PLAN_FILE
from reidpipe.runtime import git
from reidpipe.runtime.dvc import dvc_json

SEED = "seed"
_RESULTS = PurePosixPath("reports/metrics")


@dataclass(frozen=True)
class Experiment:
    """One run of one finished experiment."""

    name: str
    run: str
    seed: int
    settings: Mapping[str, str]
    """Everything else that its plan says of the run, by stage and key."""
    metrics: Mapping[str, Any]


Made = Callable[[str, str, Mapping[str, Any]], bool]


def experiments(*, all_commits: bool = False) -> list[Experiment]:
    """All that have results of their own, the commit first.

    An experiment carries the metrics of its commit for what it did not run (named targets, stopped
    half-way): they are not its own.

    Raises:
        UserError: DVC cannot tell.
    """
    # Not --param-deps: DVC applies it to experiments and not to their commit.
    more = ["--all-commits"] if all_commits else []
    shown = dvc_json("exp", "show", "--json", "--hide-workspace", *more)
    return list(finished(shown, made))


def finished(shown: list[Any], made: Made) -> Iterator[Experiment]:
    """Those with a plan and metrics, of what DVC shows: failed and queued ones have none.

    `made` says of a revision and a run whether its results follow from its plan.
    """
    for baseline in shown:
        nested = [each for one in baseline["experiments"] or [] for each in one["revs"] or []]
        for entry in (baseline, *nested):
            if entry["rev"] != "workspace" and entry["data"]:
                yield from _runs(entry, made)


def _runs(entry: Mapping[str, Any], made: Made) -> Iterator[Experiment]:
    name, data = entry["name"] or entry["rev"][:7], entry["data"]
    plan = (data.get("params", {}).get(PLAN_FILE.name) or {}).get("data") or {}
    for file, content in data.get("metrics", {}).items():
        path = PurePosixPath(file)
        own = {stage: plan.get(stage, {}).get(path.stem) for stage in lock.STAGES}
        if path.parent != _RESULTS or not content.get("data") or not all(own.values()):
            continue
        if made(entry["rev"], path.stem, own):
            settings = dict(_flat(own, ""))
            seed = int(settings.pop(f"train.{SEED}"))
            yield Experiment(name, path.stem, seed, settings, content["data"])


def made(revision: str, run: str, plan: Mapping[str, Any]) -> bool:
    """Whether the metrics of `run` in `revision` were made with these entries of its plan."""
    metrics = git.show(revision, (_RESULTS / f"{run}.json").as_posix())
    return lock.made(run, plan, _stages(revision), metrics)


@cache
def _stages(revision: str) -> Mapping[str, Any]:
    return lock.stages(revision)


def _flat(content: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in content.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)

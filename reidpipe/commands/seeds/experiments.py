"""Experiments of the current commit, and the commit itself, as `dvc exp show` lists them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from reidpipe.formats.plan import PLAN_FILE
from reidpipe.runtime.dvc import dvc_json

SEED = "seed"
STAGES = ("train", "extract", "evaluate")
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


def experiments() -> list[Experiment]:
    """All that have results, the commit first.

    Raises:
        UserError: DVC cannot tell.
    """
    # Not --param-deps: DVC applies it to experiments and not to their commit.
    shown = dvc_json("exp", "show", "--json", "--hide-workspace")
    return list(finished(shown))


def finished(shown: list[Any]) -> Iterator[Experiment]:
    """Those with a plan and metrics, of what DVC shows: failed and queued ones have none."""
    for baseline in shown:
        nested = [each for one in baseline["experiments"] or [] for each in one["revs"] or []]
        for entry in (baseline, *nested):
            if entry["rev"] != "workspace" and entry["data"]:
                yield from _runs(entry["name"] or entry["rev"][:7], entry["data"])


def _runs(name: str, data: Mapping[str, Any]) -> Iterator[Experiment]:
    plan = (data.get("params", {}).get(PLAN_FILE.name) or {}).get("data") or {}
    for file, content in data.get("metrics", {}).items():
        path = PurePosixPath(file)
        own = {stage: plan.get(stage, {}).get(path.stem) for stage in STAGES}
        if path.parent == _RESULTS and content.get("data") and all(own.values()):
            settings = dict(_flat(own, ""))
            seed = int(settings.pop(f"train.{SEED}"))
            yield Experiment(name, path.stem, seed, settings, content["data"])


def _flat(content: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in content.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)

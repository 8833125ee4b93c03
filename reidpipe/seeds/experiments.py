"""Experiments of the current commit, and the commit itself, as `dvc exp show` lists them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, get_args

from reidpipe.dvc_process import dvc_json
from reidpipe.params.sections import Profile

SEED = "seed"
PROFILES = get_args(Profile)
NO_RESULT = {"check"}
"""Sections of params.yaml that decide no result, as does the profile that is not chosen."""
_RESULTS = PurePosixPath("reports/metrics")
_PARAMS = "params.yaml"


@dataclass(frozen=True)
class Experiment:
    """One finished experiment."""

    name: str
    seed: int
    settings: Mapping[str, str]
    """Every other parameter that results depend on, by its path in the file."""
    sources: Mapping[str, str]
    """Checksums of code and other files that no stage makes: they set results apart, too."""
    metrics: Mapping[str, Mapping[str, Any]]
    """By run."""


def experiments() -> list[Experiment]:
    """All that have results, the commit first.

    Raises:
        UserError: DVC cannot tell.
    """
    # Not --param-deps: DVC applies it to experiments and not to their commit.
    shown = dvc_json("exp", "show", "--json", "--hide-workspace")
    return list(finished(shown))


def finished(shown: list[Any]) -> Iterator[Experiment]:
    """Those with metrics and a seed, of what DVC shows: failed and queued ones have none."""
    for baseline in shown:
        nested = [each for one in baseline["experiments"] or [] for each in one["revs"] or []]
        for entry in (baseline, *nested):
            if entry["rev"] != "workspace" and (found := _experiment(entry)):
                yield found


def _experiment(entry: Mapping[str, Any]) -> Experiment | None:
    data = entry["data"] or {}
    everything = {
        key: repr(value)
        for file, content in data.get("params", {}).items()
        for key, value in _flat(content.get("data") or {}, "" if file == _PARAMS else f"{file}:")
    }
    metrics = {
        PurePosixPath(file).stem: content["data"]
        for file, content in data.get("metrics", {}).items()
        if PurePosixPath(file).parent == _RESULTS and content.get("data")
    }
    if SEED not in everything or not metrics:
        return None
    seed = int(everything.pop(SEED))
    others = NO_RESULT | {name for name in PROFILES if repr(name) != everything.get("profile")}
    settings = {key: value for key, value in everything.items() if key.split(".")[0] not in others}
    return Experiment(entry["name"] or entry["rev"][:7], seed, settings, _sources(data), metrics)


def _flat(content: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _sources(data: Mapping[str, Any]) -> dict[str, str]:
    """Dependencies that no stage writes to and that more than the report depends on.

    params.yaml is left out for its values are compared one by one.
    """
    made = [PurePosixPath(path) for path in data.get("outs", {})]
    made += [PurePosixPath(path) for path in data.get("metrics", {})]

    def is_source(path: PurePosixPath) -> bool:
        written = any(path == out or path in out.parents for out in made)
        return not written and path.parts[0] != "reports" and str(path) != _PARAMS

    found = {path: PurePosixPath(path) for path in data.get("deps", {})}
    return {name: data["deps"][name]["hash"] for name, path in found.items() if is_source(path)}

"""The metrics of a git revision and of the workspace, as DVC reads them."""

from dataclasses import dataclass
from typing import Any

from reidpipe.runtime.dvc import dvc_json


@dataclass(frozen=True)
class Pair:
    """One metric in one metrics file; None where a side has no value."""

    file: str
    metric: str
    old: Any
    new: Any


def pairs(revision: str) -> list[Pair]:
    """Every metric that `revision` or the workspace has a value of, by file and name.

    Raises:
        UserError: DVC cannot tell.
    """
    files = dvc_json("metrics", "diff", "--all", "--json", revision)
    return [
        Pair(file, metric, values["old"], values["new"])
        for file, metrics in sorted(files.items())
        for metric, values in sorted(metrics.items())
    ]


@dataclass(frozen=True)
class Declared:
    """Metrics files of the workspace's dvc.yaml."""

    files: frozenset[str]
    unreadable: tuple[str, ...]
    """Missing, no JSON, or without a number: `dvc metrics diff` leaves such a file out where the
    revision has none either."""


def declared() -> Declared:
    """What dvc.yaml says that there is.

    Raises:
        UserError: DVC cannot tell.
    """
    shown = dvc_json("metrics", "show", "--json")
    revision: dict[str, Any] = next(iter(shown.values()), {"data": {}})
    lost = sorted(file for file, content in revision["data"].items() if not content.get("data"))
    return Declared(frozenset(revision["data"]), tuple(lost))

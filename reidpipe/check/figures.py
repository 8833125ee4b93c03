"""The metrics of a git revision and of the workspace, as DVC reads them."""

from dataclasses import dataclass
from typing import Any

from reidpipe.dvc_process import dvc_json


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


def workspace() -> dict[str, dict[str, Any] | None]:
    """Metrics of each file that dvc.yaml declares; None for one that is missing or no JSON.

    `dvc metrics diff` leaves such a file out where the revision has none either, and likewise a
    null that both sides have.

    Raises:
        UserError: DVC cannot tell.
    """
    shown = dvc_json("metrics", "show", "--json")
    revision: dict[str, Any] = next(iter(shown.values()), {})
    files = revision.get("data", {})
    return {file: content.get("data") for file, content in sorted(files.items())}

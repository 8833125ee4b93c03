"""Whether this machine made the bytes that are committed: a question of its own beside the gate.

Where a stage had the same command, dependencies and parameters and left other bytes, the machine is
the difference: other instructions of its CPU, other libraries, a GPU.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reidpipe.formats import lock

DOCUMENT = "docs/reproducibility.md"
_SHOWN = 3


@dataclass(frozen=True)
class Reproduction:
    """The stages of the workspace's lock beside those of HEAD's."""

    stages: int
    """Of the workspace."""
    changed: tuple[str, ...]
    """Another command, parameter or dependency, none of which is another stage's output."""
    other_bytes: tuple[str, ...]
    """Equal inputs, other outputs."""

    def __str__(self) -> str:
        if self.other_bytes:
            return (
                f"reproduced: no, {_named(self.other_bytes)} left other bytes than in HEAD, "
                f"of equal inputs ({DOCUMENT})"
            )
        if self.changed:
            return f"reproduced: other inputs than in HEAD in {_named(self.changed)}"
        return f"reproduced: yes, dvc.lock names the bytes of HEAD for all {self.stages} stages"


def reproduction() -> Reproduction:
    """Of the workspace.

    Raises:
        UserError: a lock cannot be read.
    """
    return compared(lock.stages("HEAD"), lock.stages())


def compared(old: Mapping[str, Any], new: Mapping[str, Any]) -> Reproduction:
    """The stages of two locks."""
    made = {out["path"] for stage in new.values() for out in stage.get("outs", [])}
    both = [name for name in new if name in old]
    other = [
        name
        for name in both
        if _inputs(new[name], set()) == _inputs(old[name], set())
        and _hashes(new[name], "outs") != _hashes(old[name], "outs")
    ]
    changed = [n for n in new if n not in old or _inputs(new[n], made) != _inputs(old[n], made)]
    return Reproduction(len(new), tuple(changed), tuple(other))


def _inputs(stage: Mapping[str, Any], without: set[str]) -> object:
    deps = {path: md5 for path, md5 in _hashes(stage, "deps").items() if path not in without}
    # What a lock says nothing about (resolve reads code and parameters) shows in its output.
    unknown = _hashes(stage, "outs") if not stage.keys() & {"deps", "params"} else {}
    return stage["cmd"], deps, stage.get("params"), unknown


def _hashes(stage: Mapping[str, Any], kind: str) -> dict[str, str]:
    return {entry["path"]: str(entry.get("md5", "")) for entry in stage.get(kind, [])}


def _named(stages: tuple[str, ...]) -> str:
    more = f" and {len(stages) - _SHOWN} more" if len(stages) > _SHOWN else ""
    return f"{len(stages)} stage{'s' * (len(stages) > 1)} ({', '.join(stages[:_SHOWN])}{more})"


WAYS_ON = f"""
The stages named left other bytes than those that are committed, though nothing that DVC knows of
has changed. Sums of floats differ between kinds of CPU where instructions cannot be pinned, between
GPUs and between libraries: {DOCUMENT}.

  to keep this machine's results (dvc exp run then reruns its own stages alone):
      git commit -am "Results of this machine"
  to go back to the committed ones (their models are not in this cache: training runs again):
      git restore . && dvc checkout
""".rstrip()

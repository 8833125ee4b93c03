"""Which tasks there are: of the workspace as it is, or of every combination of a sweep."""

import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reidpipe.commands.spread import job as job_file
from reidpipe.commands.spread.cluster import Order, Room
from reidpipe.commands.spread.job import PLACE, Job
from reidpipe.commands.spread.tasks import Graph, Task, graph, task_of, tasks
from reidpipe.errors import UserError
from reidpipe.files import write_json
from reidpipe.formats import lock
from reidpipe.formats import plan as plan_file
from reidpipe.formats.params import PARAMS_FILE
from reidpipe.formats.plan import PLAN_FILE
from reidpipe.formats.runs import known_run
from reidpipe.plan.resolve import plan, resolve
from reidpipe.runtime.dvc import dvc, dvc_json
from reidpipe.runtime.git import git

BASE = "workspace"
"""Name of the part that is no experiment."""


@dataclass(frozen=True)
class Part:
    """The tasks of one set of parameters."""

    name: str
    overrides: Sequence[str]
    job: Job
    tasks: Sequence[Task]
    plan: Mapping[str, Any]

    def write(self) -> bytes:
        """Put the job where its tasks look for it; its bundle is returned."""
        content = job_file.bundle(self.job.commit)
        self.job.write(PLACE / "jobs" / self.name, content)
        return content


def parts(
    wanted: Sequence[str], sweeps: Sequence[str], *, by_remote: bool, environment: Mapping[str, str]
) -> list[Part]:
    """What is to be done, of the runs `wanted` (all, without any).

    Raises:
        UserError: there is no such run, a parameter is wrong, or with sweeps the workspace itself
            is not up to date.
    """
    resolve()
    stages, made = graph(), plan_file.written()
    chosen = [known_run(task_of(name), list(made["train"])) for name in wanted]
    said = dvc_json("status", "--json").keys() & stages.keys()
    told = Job("", job_file.prefix(), _cache(by_remote=by_remote), [], _config(), environment)
    if not sweeps:
        found = tasks(stages, said, chosen)
        own = {stage for task in found for stage in task.stages}
        forgotten = sorted(_nowhere(said & own))
        job = replace(told, commit=job_file.snapshot(), forgotten=forgotten)
        return [Part(BASE, [], job, found, made)]
    _check_committed(said - {"resolve"}, stages, chosen)
    return [_variant(each, stages, chosen, told) for each in _combinations(sweeps)]


def orders(parts: Sequence[Part], gpus: float | None, *, alone: bool) -> list[Order]:
    """The tasks of all parts, with what each takes of a node.

    `alone`: the cluster is of this machine alone, and a task takes one of its places. `gpus` per
    run, instead of as many as the profile trains with.
    """
    return [
        Order(
            _name(part, task.name),
            part.name,
            task,
            frozenset(_name(part, name) for name in task.needs),
            _room(task, part.plan, gpus, alone=alone),
        )
        for part in parts
        for task in part.tasks
    ]


def threads(made: Mapping[str, Any]) -> int:
    """The most that a run of the plan computes with."""
    return max((entry["machine"]["threads"] or 1 for entry in made["train"].values()), default=1)


def _name(part: Part, task: str) -> str:
    return task if part.name == BASE else f"{part.name}: {task}"


def _room(task: Task, made: Mapping[str, Any], gpus: float | None, *, alone: bool) -> Room:
    entry = made["train"].get(task.name)
    if entry is None:
        return Room(1, 0)
    machine = entry["machine"]
    if machine["nodes"] > 1:
        raise UserError(
            "a run on several machines is no task",
            where="params.yaml: train.nodes",
            expected="1: runs go to machines, each whole",
            found=machine["nodes"],
            fix="-S PROFILE.train.nodes=1, or start it as docs/scaling.md says",
        )
    own = 0 if machine["device"] == "cpu" else machine["devices"]
    cpus = 1 if alone else (machine["threads"] or 1) + made["loading"]["workers"] * max(1, own)
    return Room(cpus, own if gpus is None else gpus)


def _cache(*, by_remote: bool) -> str:
    return "" if by_remote else dvc("cache", "dir").strip()


def _config() -> str:
    path = Path(".dvc/config.local")
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _nowhere(stages: Collection[str]) -> Iterator[str]:
    """Those of which the lock names bytes that the cache does not have."""
    cache = Path(dvc("cache", "dir").strip(), "files/md5")
    if not Path(lock.LOCK).exists():
        return
    known = lock.stages()
    for stage in stages & known.keys():
        for path, md5 in lock.outputs({stage: known[stage]}):
            if not (cache / md5[:2] / md5[2:]).exists() and not _tracked(path):
                yield stage
                break


def _tracked(path: str) -> bool:
    """Metrics are git's, and not in the cache."""
    return git("ls-files", "--error-unmatch", path).returncode == 0


def _check_committed(stale: Collection[str], stages: Graph, wanted: Collection[str]) -> None:
    """An experiment starts from the commit: what that lacks would be done by each again."""
    if untracked := job_file.untracked():
        raise UserError(
            "experiments would not have all files",
            where=", ".join(untracked[:3]),
            expected="a workspace without files that git does not know",
            fix="git add them, or name them in .gitignore",
        )
    if found := tasks(stages, stale, wanted):
        raise UserError(
            "the results in the workspace are not current",
            where=", ".join(task.name for task in found[:3]),
            expected="with -S, a workspace in which dvc repro has nothing to do",
            fix="reidpipe spread, without -S; git commit",
        )


def _combinations(sweeps: Sequence[str]) -> list[list[str]]:
    """Every choice of one value from each list, as `dvc exp run -S` writes them."""
    from dvc.utils.hydra import get_hydra_sweeps  # noqa: PLC0415

    name = PARAMS_FILE.name
    try:
        return [[*each[name]] for each in get_hydra_sweeps({name: [*sweeps]})]
    except Exception as error:  # noqa: BLE001
        raise UserError(
            "a value of a sweep cannot be read",
            where=f"-S {' -S '.join(sweeps)}",
            expected="name=value or name=value,value",
            found=error,
        ) from None


def _variant(overrides: Sequence[str], stages: Graph, wanted: Sequence[str], told: Job) -> Part:
    with _overridden(overrides) as params, tempfile.TemporaryDirectory() as folder:
        made = plan(params_path=params)
        written = Path(folder, PLAN_FILE.name)
        write_json(written, made)
        commit = job_file.snapshot({PARAMS_FILE.name: params, PLAN_FILE.name: written})
    stale = {
        stage
        for stage, entry in lock.stages().items()
        for key, value in entry.get("params", {}).get(PLAN_FILE.name, {}).items()
        if value != _at(made, key)
    }
    job = replace(told, commit=commit)
    name = ",".join(overrides).replace("/", "_")
    return Part(name, overrides, job, tasks(stages, stale & stages.keys(), wanted), made)


@contextmanager
def _overridden(overrides: Sequence[str]) -> Iterator[Path]:
    """A copy of params.yaml with other values."""
    from dvc.utils.hydra import apply_overrides  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, PARAMS_FILE.name)
        path.write_bytes(PARAMS_FILE.read_bytes())
        try:
            apply_overrides(str(path), [*overrides])
        except Exception as error:  # noqa: BLE001
            raise UserError(
                "a value cannot be set",
                where=f"-S {' -S '.join(overrides)}",
                found=error,
                fix=f"see {PARAMS_FILE}; +name=value adds one that is not there",
            ) from None
        yield path


def _at(made: Mapping[str, Any], key: str) -> Any:
    found: Any = made
    for part in key.split("."):
        found = found.get(part, {})
    return found

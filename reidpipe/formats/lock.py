"""dvc.lock, of the workspace or of another revision, and the outputs that it names."""

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from reidpipe.errors import UserError
from reidpipe.formats import yaml
from reidpipe.formats.plan import PLAN_FILE
from reidpipe.runtime.dvc import dvc
from reidpipe.runtime.git import show

LOCK = "dvc.lock"
_COMMAND = re.compile(r"^(  (\S+):\n    cmd:).*\n(?:(?:    [ -].*)?\n)*", re.M)
"""Of an entry, with the lines over which it goes on."""
STAGES = ("train", "extract", "evaluate")
"""Those of a run, in order."""


def stages(revision: str = "", root: Path = Path()) -> dict[str, Any]:
    """The stages by name, of a revision or, without one, of the workspace `root`.

    Raises:
        UserError: there is no lock, or it is none.
    """
    where = f"{revision}:{LOCK}" if revision else LOCK
    try:
        content = show(revision, LOCK) if revision else (root / LOCK).read_bytes()
        found: dict[str, Any] = (
            yaml.parsed(content, where, "the stages of the lock")["stages"] or {}
        )
    except (KeyError, TypeError, FileNotFoundError) as error:
        raise UserError(
            "the lock cannot be read", where=where, found=error, fix="dvc repro writes it"
        ) from None
    return found


def made(
    run: str, plan: Mapping[str, Any], stages: Mapping[str, Any], metrics: bytes | None
) -> bool:
    """Whether `metrics`, the file of a run, was made with these entries of the plan, by stage.

    The lock says so: each stage had the plan's values, and read what the stage before it wrote.
    """
    own = {stage: stages.get(f"{stage}@{run}", {}) for stage in plan}
    if metrics is None or any(
        part.get("params", {}).get(PLAN_FILE.name, {}).get(f"{stage}.{run}") != plan[stage]
        for stage, part in own.items()
    ):
        return False
    written = {out["path"]: out.get("md5") for part in own.values() for out in part["outs"]}
    read = {dep["path"]: dep.get("md5") for part in own.values() for dep in part.get("deps", [])}
    if any(written[path] != md5 for path, md5 in read.items() if path in written):
        return False
    found = hashlib.md5(metrics, usedforsecurity=False).hexdigest()
    return bool(written[f"reports/metrics/{run}.json"] == found)


def networks(of: Mapping[str, Any]) -> dict[str, str]:
    """MD5 of the network of every run by the stages of a lock."""
    found = [(PurePosixPath(path), md5) for path, md5 in outputs(of)]
    return {p.parent.name: md5 for p, md5 in found if p.match("runs/*/model.safetensors")}


def cached(revision: str, path: str) -> Path:
    """Where DVC's cache keeps the output `path` of `revision`.

    Raises:
        UserError: the lock of that revision has no such output, or the cache does not hold it.
    """
    md5 = dict(outputs(stages(revision))).get(path)
    if not md5:
        raise UserError("no such output", where=f"{revision}:{LOCK}", expected=path)
    # It may lie anywhere: shared by users or work trees, or with an experiment's checkout.
    file = Path(dvc("cache", "dir").strip(), "files/md5", md5[:2], md5[2:])
    if not file.exists():
        raise UserError(
            "an output of another revision is not in the cache",
            where=f"{revision}:{path}",
            expected=file,
            fix=f"dvc fetch from a remote that has it, or git checkout {revision} && dvc repro",
        )
    return file


def outputs(of: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Path and MD5 of all that the stages of a lock write; "" where it has none."""
    for stage in of.values():
        yield from ((out["path"], str(out.get("md5", ""))) for out in stage.get("outs", []))


def without_commands(text: str, names: Collection[str]) -> str:
    """The text of a lock in which the stages `names` have no command.

    DVC finds them changed, asks its run cache, and writes each where it stood: an entry that had
    been taken away would come back at the end.
    """
    return _COMMAND.sub(lambda found: f"{found[1]} ''\n" if found[2] in names else found[0], text)

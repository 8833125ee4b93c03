"""Outputs as another git revision left them: from git itself, or from the DVC cache by its lock."""

import subprocess
from pathlib import Path

import yaml

from reidpipe.errors import UserError

LOCK = "dvc.lock"
CACHE = Path(".dvc/cache/files/md5")


def resolve(revision: str) -> str:
    """The commit that `revision` names, as git writes it.

    Raises:
        UserError: this repository has no such commit (a shallow clone lacks the older ones).
    """
    command = [
        "git",
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        f"{revision}^{{commit}}",
    ]
    result = subprocess.run(command, capture_output=True, check=False, text=True)
    if result.returncode != 0:
        raise UserError(
            "there is no such revision here",
            where=revision,
            found=result.stderr.strip(),
            fix="git fetch (a shallow clone: git fetch --unshallow), or one that `git log` lists",
        )
    return result.stdout.strip()


def show(revision: str, path: str) -> bytes:
    """Content of a file that git tracks, as it is in `revision`.

    Raises:
        UserError: there is no such revision, or no such file in it.
    """
    command = ["git", "show", f"{revision}:./{path}"]
    result = subprocess.run(command, capture_output=True, check=False)
    if result.returncode != 0:
        raise UserError(
            "a file of another revision cannot be read",
            where=f"{revision}:{path}",
            found=result.stderr.decode().strip(),
            fix="git fetch --unshallow, or name a revision that `git log` lists",
        )
    return result.stdout


def cached(revision: str, path: str) -> Path:
    """Where the DVC cache keeps the output `path` of `revision`.

    Raises:
        UserError: the lock of that revision has no such output, or the cache does not hold it.
    """
    stages = yaml.safe_load(show(revision, LOCK))["stages"].values()
    found = [out["md5"] for stage in stages for out in stage.get("outs", []) if out["path"] == path]
    if not found:
        raise UserError("no such output", where=f"{revision}:{LOCK}", expected=path)
    file = CACHE / str(found[0])[:2] / str(found[0])[2:]
    if not file.exists():
        raise UserError(
            "an output of another revision is not in the cache",
            where=f"{revision}:{path}",
            expected=file,
            fix=f"dvc fetch from a remote that has it, or git checkout {revision} && dvc repro",
        )
    return file

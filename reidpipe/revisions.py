"""Results as another git revision left them: from git itself, or from DVC's cache by its lock."""

import subprocess
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from reidpipe.dvc_process import dvc
from reidpipe.errors import UserError
from reidpipe.formats import queries
from reidpipe.formats import ranking as ranking_file
from reidpipe.formats.queries import Queries

LOCK = "dvc.lock"
# The same language, read ten times as fast, where PyYAML was built with libyaml.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    """A git command as it ends, whatever its status."""
    return subprocess.run(["git", *arguments], capture_output=True, check=False)


def resolve(revision: str) -> str:
    """The commit that `revision` names, as git writes it.

    Raises:
        UserError: this repository has no such commit (a shallow clone lacks the older ones).
    """
    name = f"{revision}^{{commit}}"
    result = git("rev-parse", "--verify", "--quiet", "--end-of-options", name)
    if result.returncode != 0:
        raise UserError(
            "there is no such revision here",
            where=revision,
            found=result.stderr.decode().strip(),
            fix=_way_on(result, "git fetch, or a revision that `git log` lists"),
        )
    return result.stdout.decode().strip()


_FULL_CLONE = "this clone is shallow: git fetch --unshallow (in a workflow: fetch-depth: 0)"


def _way_on(result: subprocess.CompletedProcess[bytes], otherwise: str) -> str:
    """What to do after a git command that failed."""
    said = result.stderr.decode()
    if "not a git repository" in said:
        return "run it in a clone of the repository"
    if "dubious ownership" in said:
        return "the repository is another user's: git says above how to trust it"
    return _FULL_CLONE if is_shallow() else otherwise


def is_shallow() -> bool:
    """Whether older commits are cut off here."""
    return git("rev-parse", "--is-shallow-repository").stdout.strip() == b"true"


def show(revision: str, path: str) -> bytes:
    """Content of a file that git tracks, as it is in `revision`.

    Raises:
        UserError: there is no such revision, or no such file in it.
    """
    result = git("show", f"{revision}:./{path}")
    if result.returncode != 0:
        raise UserError(
            "a file of another revision cannot be read",
            where=f"{revision}:{path}",
            found=result.stderr.decode().strip(),
            fix=_way_on(result, "name a revision and a file that it has; run from the root"),
        )
    return result.stdout


def has(revision: str, path: str) -> bool:
    """Whether git tracks a file or folder in `revision`."""
    return git("cat-file", "-e", f"{revision}:./{path}").returncode == 0


def names(revision: str, folder: str) -> list[str]:
    """Paths of the files in a folder, sorted, as they are in `revision`."""
    found = git("ls-tree", "--name-only", "-z", f"{revision}:./{folder}").stdout.decode()
    return sorted(f"{folder}/{name}" for name in found.split("\0") if name)


def lock(revision: str = "") -> dict[str, Any]:
    """The stages of dvc.lock by name, of a revision or, without one, of the workspace.

    Raises:
        UserError: there is no lock, or it is none.
    """
    where = f"{revision}:{LOCK}" if revision else LOCK
    try:
        content = show(revision, LOCK) if revision else Path(LOCK).read_bytes()
        stages: dict[str, Any] = yaml.load(content, Loader=_LOADER)["stages"] or {}  # noqa: S506
    except (yaml.YAMLError, KeyError, TypeError, FileNotFoundError) as error:
        raise UserError(
            "the lock cannot be read", where=where, found=error, fix="dvc repro writes it"
        ) from None
    return stages


def made(stages: dict[str, Any], path: str) -> str:
    """MD5 of the output `path` by a lock, empty where no stage makes it."""
    outs = (out for stage in stages.values() for out in stage.get("outs", []))
    return next((str(out.get("md5", "")) for out in outs if out["path"] == path), "")


def networks(stages: dict[str, Any]) -> dict[str, str]:
    """MD5 of the network of every run by a lock."""
    outs = [out for stage in stages.values() for out in stage.get("outs", [])]
    found = [(PurePosixPath(out["path"]), str(out.get("md5", ""))) for out in outs]
    return {p.parent.name: md5 for p, md5 in found if p.match("runs/*/model.safetensors")}


def cached(revision: str, path: str) -> Path:
    """Where DVC's cache keeps the output `path` of `revision`.

    Raises:
        UserError: the lock of that revision has no such output, or the cache does not hold it.
    """
    found = made(lock(revision), path)
    if not found:
        raise UserError("no such output", where=f"{revision}:{LOCK}", expected=path)
    # It may lie anywhere: shared by users or work trees, or with an experiment's checkout.
    file = Path(dvc("cache", "dir").strip(), "files/md5", found[:2], found[2:])
    if not file.exists():
        raise UserError(
            "an output of another revision is not in the cache",
            where=f"{revision}:{path}",
            expected=file,
            fix=f"dvc fetch from a remote that has it, or git checkout {revision} && dvc repro",
        )
    return file


def scores(revision: str, run: str) -> Queries:
    """Scores per query of a run in `revision`.

    They are in git; of commits from before they were, the ranking may still be in the cache.

    Raises:
        UserError: neither is there.
    """
    path = f"{queries.FOLDER.as_posix()}/{run}.csv"
    if has(revision, path):
        return queries.parse(show(revision, path), f"{revision}:{path}")
    return ranking_file.read_queries(cached(revision, f"runs/{run}/ranking.npz"))

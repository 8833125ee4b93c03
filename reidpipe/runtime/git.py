"""What git knows of another revision, from a process of its own."""

import subprocess
from collections.abc import Mapping

from reidpipe.errors import UserError


def git(
    *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """A git command as it ends, whatever its status; `environment` instead of our own."""
    return subprocess.run(["git", *arguments], capture_output=True, check=False, env=environment)


def resolve(revision: str) -> str:
    """The commit that `revision` names, as git writes it; the name of an experiment is one, too.

    Raises:
        UserError: this repository has no such commit (a shallow clone lacks the older ones).
    """
    name = f"{revision}^{{commit}}"
    result = git("rev-parse", "--verify", "--quiet", "--end-of-options", name)
    if result.returncode != 0 and (found := _experiment(revision)):
        return found
    if result.returncode != 0:
        raise UserError(
            "there is no such revision here",
            where=revision,
            found=result.stderr.decode().strip(),
            fix=_way_on(result, "git fetch, or a revision that `git log` lists"),
        )
    return result.stdout.decode().strip()


def _experiment(name: str) -> str:
    """The commit of a DVC experiment, or "" where there is none, or several, of that name."""
    listed = git("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps/").stdout.decode()
    refs = (line.split() for line in listed.splitlines())
    found = {commit for commit, ref in refs if ref.rpartition("/")[2] == name}
    return found.pop() if len(found) == 1 else ""


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

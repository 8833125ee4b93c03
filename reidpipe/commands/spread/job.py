"""What a task is told: the code and the parameters as one commit, and where DVC's cache is."""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from reidpipe.errors import UserError
from reidpipe.files import replacing, write_text
from reidpipe.runtime.git import git

PLACE = Path(".dvc/tmp/spread")
REF = "refs/reidpipe/spread"
LARGEST = 50 << 20
"""Bytes of a file that git does not know."""
_WHO = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in {"NAME": "reidpipe", "EMAIL": "spread", "DATE": "2000-01-01T00:00Z"}.items()
}
"""Equal content is one commit, whoever makes it and whenever."""


@dataclass(frozen=True)
class Job:
    """The same for all tasks of one set of parameters."""

    commit: str
    prefix: str
    """Folder of the project in its git repository, with its slash; "" where it is the root."""
    cache: str
    """DVC's cache; "" where a machine has its own and what is missing comes by the remote."""
    forgotten: Sequence[str]
    """Stages whose entries in dvc.lock name bytes that are nowhere: the run cache is asked."""
    config: str
    """.dvc/config.local, which git does not carry."""
    environment: Mapping[str, str]

    @property
    def by_remote(self) -> bool:
        return not self.cache

    def write(self, folder: Path, bundle: bytes) -> None:
        """Leave it, with the commit's content, where `read` and the program `work` find it."""
        with replacing(folder / "snapshot.bundle") as path:
            path.write_bytes(bundle)
        write_text(folder / "job.json", json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> Self:
        return cls(**json.loads((folder / "job.json").read_text(encoding="utf-8")))


def snapshot(instead: Mapping[str, Path] | None = None) -> str:
    """A commit of the workspace as it is, with what is not committed; no branch has it.

    `instead` has files to be taken in the place of the workspace's.

    Raises:
        UserError: git cannot make it, or would take a file that is no code.
    """
    _check_sizes()
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder, "index")
        ours = Path(_said("rev-parse", "--git-path", "index"))
        if ours.exists():  # it knows which files have not changed
            shutil.copy(ours, index)
        own = {"GIT_INDEX_FILE": str(index)}
        _said("add", "--all", ".", environment=own)
        for name, path in (instead or {}).items():
            blob = _said("hash-object", "-w", "--no-filters", str(path))
            _said(
                "update-index",
                "--add",
                "--cacheinfo",
                f"100644,{blob},{prefix()}{name}",
                environment=own,
            )
        tree = _said("write-tree", environment=own)
    return _said("commit-tree", tree, "-m", "reidpipe spread", environment=_WHO)


def _check_sizes() -> None:
    """Data beside the code would go into git's store, and to every node."""
    large = [name for name in untracked() if Path(name).lstat().st_size > LARGEST]
    if large:
        raise UserError(
            "files that git does not know are too large for a task",
            where=", ".join(large[:3]),
            expected=f"at most {LARGEST >> 20} MB each",
            fix="name them in .gitignore, or move them out of the repository",
        )


def untracked() -> list[str]:
    """The files of the workspace that git neither knows nor ignores."""
    said = _said("ls-files", "--others", "--exclude-standard", "-z")
    return [name for name in said.split("\0") if name]


def prefix() -> str:
    """The folder of the project in its git repository, with its slash; "" where it is the root."""
    return _said("rev-parse", "--show-prefix")


def bundle(commit: str) -> bytes:
    """What another repository needs in order to have this commit."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "bundle")
        _said("update-ref", REF, commit)
        try:
            _said("bundle", "create", "--quiet", str(path), REF)
        finally:
            _said("update-ref", "-d", REF)
        return path.read_bytes()


def _said(*arguments: str, environment: Mapping[str, str] | None = None) -> str:
    result = git(*arguments, environment={**os.environ, **(environment or {})})
    if result.returncode != 0:
        raise UserError(
            "the workspace cannot be handed to tasks",
            where=f"git {arguments[0]}",
            found=result.stderr.decode().strip(),
            fix="git status says what is wrong",
        )
    return result.stdout.decode().strip()

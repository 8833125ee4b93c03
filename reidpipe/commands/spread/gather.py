"""The end of it: DVC itself, in the workspace, takes what the tasks have left in its run cache."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from reidpipe.commands.spread import job as job_file
from reidpipe.commands.spread.planning import BASE, Part
from reidpipe.errors import UserError
from reidpipe.files import write_text
from reidpipe.formats import lock


def gather(part: Part, runs: Sequence[str], *, by_remote: bool) -> None:
    """Bring one part into the workspace, or make it an experiment of DVC's.

    Raises:
        UserError: the workspace is not what the tasks were given, or DVC fails.
    """
    more = ["--pull"] if by_remote else []
    targets = [f"evaluate@{run}" for run in runs]
    if part.name != BASE:
        values = [word for each in part.overrides for word in ("--set-param", each)]
        # Beside the workspace, which stays as it is; the other way the last one would stand there.
        _dvc("exp", "run", "--temp", *more, *values, *targets)
        return
    if job_file.snapshot() != part.job.commit:
        raise UserError(
            "the workspace has been changed in the meantime",
            expected="the files that the tasks were given",
            fix="nothing is lost: reidpipe spread again does what the change concerns",
        )
    path = Path(lock.LOCK)
    if part.job.forgotten and path.exists():
        write_text(
            path, lock.without_commands(path.read_text(encoding="utf-8"), part.job.forgotten)
        )
    _dvc("repro", *more, *targets)


def _dvc(*arguments: str) -> None:
    status = subprocess.run([sys.executable, "-m", "dvc", *arguments], check=False).returncode
    if status != 0:
        raise UserError(
            "DVC has not taken the results in",
            where=f"dvc {' '.join(arguments)}",
            found=f"exit status {status}; its message stands above",
            fix="mend what it names, then reidpipe spread again: what has run is kept",
        )

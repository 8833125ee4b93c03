"""What the gate compares with, where nobody says: never a commit with itself."""

from reidpipe.commands.check.rows import RESULTS
from reidpipe.errors import UserError
from reidpipe.runtime.git import git, is_shallow, resolve

PREVIOUS = "previous"
"""The word for the last commit whose metrics are not HEAD's."""


def base(asked: str) -> str | None:
    """The commit to compare with; None where there are no earlier results.

    Args:
        asked: a revision, PREVIOUS, or nothing: HEAD where the workspace has other metrics than
            HEAD, else PREVIOUS.

    Raises:
        UserError: a shallow clone does not reach back to it.
    """
    if asked and asked != PREVIOUS:
        return asked
    if not asked and git("status", "--porcelain", "--", RESULTS.as_posix()).stdout.strip():
        return "HEAD"
    return _previous()


def _previous() -> str | None:
    """The first parent of the last commit that changed the metrics, shortly."""
    head = resolve("HEAD")
    last = _asked("rev-list", "-1", "--first-parent", head, "--", RESULTS.as_posix())
    if not last:
        return None
    _, *parents = _asked("rev-list", "-1", "--parents", last).split()
    if parents:
        return _asked("rev-parse", "--short", parents[0])
    if is_shallow():
        raise UserError(
            "this clone is shallow: the commit to compare with is not here",
            where=f"the parent of {last[:7]}",
            expected="the last commit whose metrics differ from those of HEAD",
            fix="git fetch --unshallow (in a workflow: fetch-depth: 0), or name a revision: "
            "--against REVISION, or CHECK_AGAINST=REVISION before .ci/run",
        )
    return None


def _asked(*arguments: str) -> str:
    result = git(*arguments)
    if result.returncode != 0:
        raise UserError(
            "git cannot say what to compare with",
            where=f"git {' '.join(arguments)}",
            found=result.stderr.decode().strip(),
            fix="name a revision: --against REVISION, or CHECK_AGAINST=REVISION before .ci/run",
        )
    return result.stdout.decode().strip()

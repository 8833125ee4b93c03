"""Errors that a user can act on: what is wrong, where, expected, found, and the fix."""

import errno
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from functools import partial

USER_ERROR_STATUS = 2
INTERRUPTED_STATUS = 130
# No space, no quota, a file larger than the limit of the process.
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_BROKEN = (errno.EIO, errno.ESTALE)
_NOT_USABLE = (errno.EISDIR, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EROFS)


class UserError(Exception):
    """Something outside the program is wrong; shown without a traceback, exit status 2."""

    def __init__(
        self,
        what: str,
        *,
        where: object = "",
        expected: object = "",
        found: object = "",
        fix: str = "",
    ) -> None:
        self.what = what
        details = {"where": where, "expected": expected, "found": found, "fix": fix}
        self.details = {name: str(value) for name, value in details.items() if str(value)}
        super().__init__(what, self.details)

    def __reduce__(self) -> tuple[object, tuple[()]]:
        """What a worker process sends home; of itself pickle knows no keywords."""
        return partial(type(self), self.what, **self.details), ()

    def __str__(self) -> str:
        lines = [self.what]
        for name, value in self.details.items():
            first, *rest = value.splitlines()
            lines.append(f"  {name + ':':<10}{first}")
            lines += [" " * 12 + line for line in rest]
        return "\n".join(lines)


def nearest(word: object, known: Iterable[str]) -> str:
    """`"did you mean 'x'?"` for the known word closest to `word`, or an empty string."""
    close = get_close_matches(str(word), list(known), n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else ""


@contextmanager
def reported() -> Iterator[None]:
    """Turn user errors and Ctrl-C into one message on standard error and an exit status.

    The status is never 0: DVC would cache the outputs of a stage that was only interrupted.
    """
    try:
        yield
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(USER_ERROR_STATUS) from None
    except OSError as error:
        if not (known := _of_the_machine(error)):
            raise
        print(f"error: {known}", file=sys.stderr)
        raise SystemExit(USER_ERROR_STATUS) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(INTERRUPTED_STATUS) from None


def _of_the_machine(error: OSError) -> UserError | None:
    """What a user can mend though no stage foresaw it; else it is our mistake, with a traceback."""
    where = error.filename or "the disk of this folder"
    if error.errno in _DISK_FULL:
        fix = "make room, run it again"
        return UserError("no room to write", where=where, found=error, fix=fix)
    if error.errno in _BROKEN:
        fix = "see to the disk or the network folder, run it again"
        return UserError("a file cannot be read", where=where, found=error.strerror, fix=fix)
    if error.errno in _NOT_USABLE:
        fix = "it should be a file that you may read and write"
        return UserError("a file cannot be used", where=where, found=error.strerror, fix=fix)
    return None

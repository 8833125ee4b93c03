"""Errors that a user can act on: what is wrong, where, expected, found, and the fix."""

import errno
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from functools import partial
from pathlib import Path

USER_ERROR_STATUS = 2
INTERRUPTED_STATUS = 130
SHOWN = 50
"""Examples of one kind of problem that are kept and listed; the others are counted."""
# No space, no quota, a file larger than the limit of the process.
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_BROKEN = (errno.EIO, errno.ESTALE)


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
        _say(f"error: {error}")
        raise SystemExit(USER_ERROR_STATUS) from None
    except OSError as error:
        if not (known := _of_the_machine(error)):
            raise
        _say(f"error: {known}")
        raise SystemExit(USER_ERROR_STATUS) from None
    except KeyboardInterrupt:
        _say("interrupted")
        raise SystemExit(INTERRUPTED_STATUS) from None


def _say(text: str) -> None:
    """A file's name need not be UTF-8."""
    print(text.encode(errors="backslashreplace").decode(), file=sys.stderr)


def _of_the_machine(error: OSError) -> UserError | None:
    """What a user can mend though no stage foresaw it: a named file, the disk; else it is ours."""
    where = error.filename or "the disk of this folder"
    if error.errno in _DISK_FULL:
        fix = "make room, run it again"
        return UserError("no room to write", where=where, found=error, fix=fix)
    if error.errno in _BROKEN:
        fix = "see to the disk or the network folder, run it again"
        return UserError("a file cannot be read", where=where, found=error.strerror, fix=fix)
    if error.filename is None:
        return None
    fix = "see that the path is right, and that you may read or write there"
    return UserError("a file cannot be used", where=where, found=error.strerror, fix=fix)


class Problems:
    """What is wrong, by kind; memory stays bounded however much is wrong."""

    def __init__(self) -> None:
        self._examples: dict[str, list[str]] = {}
        self._counts: dict[str, int] = {}

    def add(self, kind: str, example: str = "") -> None:
        """Note one case of `kind`, a phrase in the plural."""
        self._counts[kind] = self._counts.get(kind, 0) + 1
        examples = self._examples.setdefault(kind, [])
        if len(examples) < SHOWN:
            examples.append(example)

    def __str__(self) -> str:
        return "\n".join(self._block(kind) for kind in self._counts)

    def __len__(self) -> int:
        return sum(self._counts.values())

    def _block(self, kind: str) -> str:
        count, examples = self._counts[kind], [text for text in self._examples[kind] if text]
        if not examples:
            return kind
        lines = [f"{kind} ({count}):", *("  " + text for text in examples)]
        return "\n".join(lines + [f"  and {count - SHOWN} more"] * (count > SHOWN))

    def refuse(self, where: Path, *, fix: str, what: str = "the data set") -> None:
        """Raise UserError with every problem, if there is any.

        The first line names the kinds, so that it says something on its own.
        """
        if self._counts:
            kinds = "; ".join(kind.partition("\n")[0] for kind in self._counts)
            raise UserError(f"{what} is refused: {kinds}", where=where, found=self, fix=fix)

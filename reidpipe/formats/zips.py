"""Zips whose bytes depend on nothing but what is in them, and one of them read member by member.

Nothing is ever unpacked to thousands of files.
"""

import os
import zipfile
from functools import lru_cache
from pathlib import Path

from reidpipe.errors import UserError

_DATE = (1980, 1, 1, 0, 0, 0)
_UNIX, _RIGHTS = 3, 0o100644 << 16


def entry(name: str) -> zipfile.ZipInfo:
    """A stored member with fixed date and rights, whatever system writes it."""
    info = zipfile.ZipInfo(name, _DATE)
    info.create_system, info.external_attr = _UNIX, _RIGHTS
    return info


def read(path: Path, member: str) -> bytes:
    """Bytes of one member; the zip is opened once per process and kept open.

    Raises:
        UserError: there is no such zip or member, or it is damaged.
    """
    try:
        status = path.stat()
        # A forked loader worker must not share its parent's file position, nor read a zip that
        # was replaced since.
        archive = _opened((path, os.getpid(), status.st_ino, status.st_mtime_ns))
        return archive.read(member)
    except FileNotFoundError:
        raise UserError(
            "a data set is missing", where=path, fix="dvc repro (or dvc pull)"
        ) from None
    except (KeyError, zipfile.BadZipFile) as error:
        raise UserError(
            "a packed data set is damaged",
            where=path,
            found=error,
            fix="delete it and run dvc repro",
        ) from None


@lru_cache(maxsize=4)
def _opened(key: tuple[Path, int, int, int]) -> zipfile.ZipFile:
    return zipfile.ZipFile(key[0])

"""Read `data/raw/DATASET.zip` member by member; nothing is ever unpacked to thousands of files."""

import os
import zipfile
from functools import lru_cache
from pathlib import Path

from reidpipe.data.pictures import decode
from reidpipe.errors import UserError

__all__ = ["decode", "read"]


def read(path: Path, member: str) -> bytes:
    """Bytes of one member; the zip is opened once a process and kept open.

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

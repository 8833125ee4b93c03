"""A zip, a tar, a tar.gz and a folder as one thing, a tree of plain files. Nothing is extracted."""

import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from reidpipe.datasets.sources.listing import Listing, Tree, UnreadableFileError
from reidpipe.datasets.sources.tars import GZIP_MAGIC, tar_gz_tree, tar_tree
from reidpipe.datasets.sources.zips import MAGIC, zip_tree
from reidpipe.errors import UserError


def open_tree(path: Path, scratch: Path) -> AbstractContextManager[Tree]:
    """List an archive or folder; what it holds decides what it is, not its name.

    A tar.gz is decompressed to a nameless file in the folder `scratch`.

    Raises:
        UserError: here or on entering: missing, no archive, damaged, hostile, or beyond a bound.
    """
    if path.is_dir():
        return _folder_tree(path)
    if not path.is_file():
        raise UserError("a data set is missing", where=path, fix="dvc repro makes data/raw")
    with path.open("rb") as file:
        magic = file.read(4)
    if magic in MAGIC:
        return zip_tree(path)
    return tar_gz_tree(path, scratch) if magic[:2] == GZIP_MAGIC else tar_tree(path)


@contextmanager
def _folder_tree(path: Path) -> Iterator[Tree]:
    listing = Listing(path)
    for folder, folders, files in os.walk(path, onerror=_stop):
        folders.sort()
        for name in folders + sorted(files):
            entry = Path(folder, name)
            status = entry.lstat()
            kind = stat.S_IFMT(status.st_mode)
            listing.add(entry.relative_to(path).as_posix(), status.st_size, kind)
    listing.problems.refuse(path, fix="copy the files themselves into one folder")
    yield Tree(path, listing.sizes, lambda name: _read(path / name))


def _stop(error: OSError) -> None:
    raise UserError("a folder cannot be listed", where=error.filename, found=error.strerror)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableFileError(error.strerror) from error

"""A zip, a tar, a tar.gz and a folder as one thing, a tree of plain files. Nothing is extracted."""

import os
import stat
import tarfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from reidpipe.datasets.sources.listing import Listing, Tree, UnreadableFileError
from reidpipe.datasets.sources.tars import GZIP_MAGIC, tar_gz_tree, tar_tree
from reidpipe.datasets.sources.zips import MAGIC, zip_tree
from reidpipe.errors import UserError


def open_tree(path: Path, scratch: Path, *, lenient: bool = False) -> AbstractContextManager[Tree]:
    """List an archive or folder; what it holds decides what it is, not its name.

    A tar.gz is decompressed to a nameless file in the folder `scratch`. Where `lenient`, links of a
    folder are followed, and single entries that are wrong are left out.

    Raises:
        UserError: here or on entering: missing, no archive, damaged, hostile, or beyond a bound.
    """
    if path.is_dir():
        return _folder_tree(path, lenient=lenient)
    if not path.is_file():
        raise UserError("a data set is missing", where=path, fix="dvc repro makes data/raw")
    with path.open("rb") as file:
        magic = file.read(4)
    if magic in MAGIC:
        return zip_tree(path, lenient=lenient)
    if magic[:2] == GZIP_MAGIC:
        return tar_gz_tree(path, scratch, lenient=lenient)
    return tar_tree(path, lenient=lenient)


def is_archive(path: Path) -> bool:
    """Whether a file begins as a zip, a gzip or a tar does."""
    with path.open("rb") as file:
        magic = file.read(4)
    return magic in MAGIC or magic[:2] == GZIP_MAGIC or tarfile.is_tarfile(path)


@contextmanager
def _folder_tree(path: Path, *, lenient: bool) -> Iterator[Tree]:
    listing = Listing(path, lenient=lenient)
    for folder, folders, files in os.walk(path, onerror=_stop):
        folders.sort()
        for name in folders + sorted(files):
            entry = Path(folder, name)
            shown = entry.relative_to(path).as_posix()
            try:
                status = entry.stat() if lenient else entry.lstat()
            except OSError as error:  # a link to nowhere, or in a circle
                listing.problems.add("files that cannot be read", f"{shown!a}: {error.strerror}")
                continue
            listing.add(shown, status.st_size, stat.S_IFMT(status.st_mode))
    fix = "copy the files themselves into one folder"
    yield listing.tree(lambda name: _read(path / name), fix=fix)


def _stop(error: OSError) -> None:
    raise UserError("a folder cannot be listed", where=error.filename, found=error.strerror)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableFileError(error.strerror) from error

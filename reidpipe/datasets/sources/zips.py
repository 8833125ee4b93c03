"""A zip file as a tree of plain files; zipfile parses, this bounds what it may cost."""

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reidpipe.datasets.sources.listing import (
    MAX_FILES,
    Listing,
    Tree,
    UnreadableFileError,
    check_ratio,
    damaged,
    too_many,
)

MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
"""How a zip begins; the second is an empty one."""

_ENTRY = b"PK\x01\x02"
_BLOCK = 1 << 20
_UNIX = 3
_ENCRYPTED = 0x1
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
"""zipfile inflates these piece by piece; with the others a piece may be a gigabyte."""
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
)


@contextmanager
def zip_tree(path: Path, *, lenient: bool = False) -> Iterator[Tree]:
    """List a zip.

    Raises:
        UserError: on entering: damaged, hostile, encrypted, or beyond a bound.
    """
    _bound_entries(path)
    try:
        archive = zipfile.ZipFile(path)
    except _BROKEN as error:
        raise damaged(path, error) from None
    with archive:
        listing, entries = Listing(path, lenient=lenient), {}
        for entry in archive.infolist():
            if entry.flag_bits & _ENCRYPTED:
                listing.problems.add("encrypted files", ascii(entry.filename))
            if name := listing.add(entry.filename, entry.file_size, _kind(entry)):
                entries[name] = entry
        tree = listing.tree(lambda name: _read(archive, entries[name]))
        check_ratio(path, sum(tree.sizes.values()))
        yield tree


def _bound_entries(path: Path) -> None:
    """Refuse a million entries before zipfile makes an object of each.

    The directory's own count can lie; the signature of an entry cannot be left out.
    """
    count, tail = 0, b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            count += (tail + block).count(_ENTRY)
            tail = block[-3:]
            if count > MAX_FILES:
                raise too_many(path)


def _kind(entry: zipfile.ZipInfo) -> int:
    if entry.is_dir():
        return stat.S_IFDIR
    unix = stat.S_IFMT(entry.external_attr >> 16) if entry.create_system == _UNIX else 0
    return unix or stat.S_IFREG


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    if entry.compress_type not in _METHODS:
        raise UnreadableFileError(f"compression method {entry.compress_type}, not deflate")
    try:
        with archive.open(entry) as file:
            # Given a length zipfile inflates no more than that, whatever the data hold; the byte
            # more makes it see the end, where it compares the checksum.
            return file.read(entry.file_size + 1)
    except _BROKEN as error:
        raise UnreadableFileError(str(error) or "cut short") from error

"""A tar or tar.gz file as a tree of plain files; tarfile parses, this bounds what it may cost."""

import gzip
import stat
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from reidpipe.datasets.sources.listing import Listing, Tree, check_ratio, damaged

GZIP_MAGIC = b"\x1f\x8b"
_BLOCK = 1 << 20


@contextmanager
def tar_tree(path: Path, *, lenient: bool = False) -> Iterator[Tree]:
    """List a tar.

    Raises:
        UserError: on entering: no tar, damaged, hostile, or beyond a bound.
    """
    with path.open("rb") as plain:
        yield _listed(path, plain, lenient=lenient)


@contextmanager
def tar_gz_tree(path: Path, scratch: Path, *, lenient: bool = False) -> Iterator[Tree]:
    """Decompress a tar.gz, which can only be read from its start, to a nameless file and list it.

    The file lies in the folder `scratch` and vanishes with the process, however that ends.

    Raises:
        UserError: on entering: damaged, hostile, or beyond a bound.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=scratch) as plain:
        try:
            with gzip.open(path) as packed:
                while block := packed.read(_BLOCK):
                    plain.write(block)
                    check_ratio(path, plain.tell())
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise damaged(path, error) from None
        yield _listed(path, plain, lenient=lenient)


def _listed(path: Path, plain: IO[bytes], *, lenient: bool) -> Tree:
    plain.seek(0)
    listing, offsets = Listing(path, lenient=lenient), {}
    try:
        with tarfile.open(fileobj=cast("IO[bytes]", _Headers(plain)), mode="r:") as archive:
            for entry in archive:
                # tarfile keeps an object for every file (its stub leaves the list out).
                archive.members.clear()  # type: ignore[attr-defined]
                if entry.size < 0:
                    raise tarfile.ReadError("a file of a negative size")
                if name := listing.add(entry.name, entry.size, _kind(entry)):
                    offsets[name] = entry.offset_data
            end = archive.offset
    except (tarfile.TarError, RecursionError, ValueError, OSError) as error:
        raise damaged(path, error) from None
    tree = listing.tree(lambda name: _read(plain, offsets[name], listing.sizes[name]))
    _check_end(path, plain, end)
    return tree


class _Headers:
    """The file under tarfile while it lists: headers may not be longer than a block."""

    def __init__(self, file: IO[bytes]) -> None:
        self.seek, self.tell, self._file = file.seek, file.tell, file

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _BLOCK:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        return self._file.read(size)


def _kind(entry: tarfile.TarInfo) -> int:
    if entry.isreg() and not entry.issparse():
        return stat.S_IFREG
    return stat.S_IFDIR if entry.isdir() else stat.S_IFLNK


def _check_end(path: Path, plain: IO[bytes], end: int) -> None:
    """A tar ends in zeros; tarfile takes a broken header for the end and goes home early."""
    plain.seek(end)
    if plain.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise damaged(path, f"cut or broken after byte {end:,}")


def _read(plain: IO[bytes], offset: int, size: int) -> bytes:
    plain.seek(offset)
    return plain.read(size)

"""Tar files that are damaged or hostile, and folders with what does not belong there."""

import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from reidpipe.datasets.sources.listing import MAX_FILES
from tests.datasets.archives import jpeg, market, to_folder, to_tar
from tests.faults.broken_images import NAME
from tests.faults.broken_sets import Case

BLOCK = 512
MILLION = 1_000_000


def with_entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> Callable[[Path], Path]:
    """A good data set and one more entry."""

    def build(folder: Path) -> Path:
        path = to_tar(folder / "set.tar", market())
        with tarfile.open(path, "a") as archive:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, link
            archive.addfile(entry)
        return path

    return build


def changed(change: Callable[[bytearray], object]) -> Callable[[Path], Path]:
    """A good data set, its bytes changed."""

    def build(folder: Path) -> Path:
        path = to_tar(folder / "set.tar", market())
        content = bytearray(path.read_bytes())
        change(content)
        path.write_bytes(content)
        return path

    return build


def raw(content: bytes) -> Callable[[Path], Path]:
    """A file of `content`."""

    def build(folder: Path) -> Path:
        (folder / "set.tar").write_bytes(content)
        return folder / "set.tar"

    return build


def _header(kind: bytes, size: int, name: str = "x") -> bytes:
    entry = tarfile.TarInfo(name)
    entry.type, entry.size = kind, size
    return entry.tobuf(tarfile.GNU_FORMAT)


def _cut(content: bytearray) -> None:
    del content[len(content) // 3 :]


def _cut_between_members(content: bytearray) -> None:
    del content[content.index(NAME.encode()) :]


def _break_header(content: bytearray) -> None:
    content[content.index(NAME.encode()) + 150] ^= 1


def _negative_size(content: bytearray) -> None:
    start = content.index(NAME.encode())
    entry = tarfile.TarInfo.frombuf(bytes(content[start : start + BLOCK]), "utf-8", "strict")
    entry.size = -BLOCK
    content[start : start + BLOCK] = entry.tobuf(tarfile.GNU_FORMAT)


def _gz(change: Callable[[bytearray], object]) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        path = to_tar(folder / "set.tar.gz", market())
        content = bytearray(path.read_bytes())
        change(content)
        path.write_bytes(content)
        return path

    return build


def _break_gz_checksum(content: bytearray) -> None:
    content[-8] ^= 1


def _gz_bomb(folder: Path) -> Path:
    path = folder / "set.tar.gz"
    with gzip.open(path, "wb") as file:
        for _ in range(256):
            file.write(bytes(1 << 20))
    return path


def _million(folder: Path) -> Path:
    """Empty files of distinct names; beyond the bound the file has a hole, to spare the disk."""
    headers = b"".join(_header(tarfile.REGTYPE, 0, f"{number:03d}") for number in range(1000))
    fields = np.frombuffer(headers, np.uint8).reshape(1000, BLOCK).copy()
    with (folder / "set.tar").open("wb") as file:
        for folder_number in range(MAX_FILES // 1000 + 1):
            fields[:, 3:7] = np.frombuffer(b"/%03d" % folder_number, np.uint8)
            fields[:, 148:156] = ord(" ")
            checksums = fields.sum(axis=1, dtype=np.int64)
            for digit in range(6):
                fields[:, 148 + digit] = ord("0") + (checksums >> 3 * (5 - digit) & 7)
            file.write(fields.tobytes())
        file.truncate(MILLION * BLOCK)
    return folder / "set.tar"


def _sparse(folder: Path) -> Path:
    return raw(_header(tarfile.GNUTYPE_SPARSE, 0) + bytes(4 * BLOCK))(folder)


def _link_in_folder(folder: Path) -> Path:
    to_folder(folder / "set", market())
    (folder / "set/query/0009_c1.jpg").symlink_to("/etc/passwd")
    return folder / "set"


def _loop_in_folder(folder: Path) -> Path:
    to_folder(folder / "set", market())
    (folder / "set/query/again").symlink_to(folder / "set")
    return folder / "set"


def _pipe_in_folder(folder: Path) -> Path:
    to_folder(folder / "set", market())
    os.mkfifo(folder / "set/query/0009_c1.jpg")
    return folder / "set"


def _xz(folder: Path) -> Path:
    path = folder / "set.tar.xz"
    with tarfile.open(path, "w:xz") as archive:
        entry = tarfile.TarInfo(NAME)
        entry.size = len(jpeg())
        archive.addfile(entry, io.BytesIO(jpeg()))
    return path


TARS = {
    "tar: an absolute name": Case(with_entry("/etc/passwd"), "lead out of the archive (1):"),
    "tar: a name with ..": Case(with_entry("query/../../x"), "lead out of the archive (1):"),
    "tar: a symbolic link": Case(with_entry("query/l", tarfile.SYMTYPE, "/etc"), "links, devices"),
    "tar: a hard link": Case(with_entry("query/l", tarfile.LNKTYPE, NAME), "links, devices"),
    "tar: a device": Case(with_entry("query/d", tarfile.CHRTYPE), "links, devices or pipes (1):"),
    "tar: a pipe": Case(with_entry("query/p", tarfile.FIFOTYPE), "links, devices or pipes (1):"),
    "tar: a sparse file": Case(_sparse, "links, devices or pipes (1):"),
    "tar: a name twice": Case(with_entry(NAME), "names that stand twice (1):"),
    "tar: cut short": Case(changed(_cut), "or a damaged one"),
    "tar: cut between members": Case(changed(_cut_between_members), "cut or broken after byte"),
    "tar: a broken header": Case(changed(_break_header), "cut or broken after byte"),
    "tar: a negative size": Case(changed(_negative_size), "or a damaged one"),
    "tar: a negative header": Case(raw(_header(tarfile.XHDTYPE, -BLOCK) * 4), "or a damaged one"),
    "tar: a header of 8 GB": Case(raw(_header(tarfile.XHDTYPE, 8 << 30) * 4), "a header of"),
    "tar: 100,000 nested long names": Case(
        raw((_header(tarfile.GNUTYPE_LONGNAME, 1) + bytes(BLOCK)) * 100_000), "or a damaged one"
    ),
    "tar: a million members": Case(_million, "more files than any data set has"),
    "tar.gz: a bomb": Case(_gz_bomb, "unpacks to far more than images would"),
    "tar.gz: cut short": Case(_gz(_cut), "or a damaged one"),
    "tar.gz: a bad checksum": Case(_gz(_break_gz_checksum), "or a damaged one"),
    "tar.xz": Case(_xz, "not a zip, tar or tar.gz file"),
    "an empty file": Case(raw(b""), "not a zip, tar or tar.gz file"),
    "a web page": Case(raw(b"<html>quota exceeded</html>" * 99), "not a zip, tar or tar.gz file"),
    "folder: a link": Case(_link_in_folder, "links, devices or pipes (1):"),
    "folder: a loop": Case(_loop_in_folder, "links, devices or pipes (1):"),
    "folder: a pipe": Case(_pipe_in_folder, "links, devices or pipes (1):"),
}

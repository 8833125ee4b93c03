"""Zip files that are damaged or hostile."""

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.datasets.archives import jpeg, market, to_zip
from tests.faults.broken_images import NAME
from tests.faults.broken_sets import Case

LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
MILLION = 1_000_000


def with_member(name: str, *, mode: int = 0, content: bytes = b"x") -> Callable[[Path], Path]:
    """A good data set and one more member."""

    def build(folder: Path) -> Path:
        path = to_zip(folder / "set.zip", market())
        with zipfile.ZipFile(path, "a") as archive:
            entry = zipfile.ZipInfo(name)
            entry.create_system, entry.external_attr = 3, mode << 16
            archive.writestr(entry, content)
        return path

    return build


def patched(change: Callable[[bytearray], object], **arguments: int) -> Callable[[Path], Path]:
    """A data set of one deflated image too many, its bytes changed."""

    def build(folder: Path) -> Path:
        path = folder / "set.zip"
        with zipfile.ZipFile(path, "w", arguments.get("method", zipfile.ZIP_DEFLATED)) as archive:
            for name, content in market().items():
                archive.writestr(name, content)
        changed = bytearray(path.read_bytes())
        change(changed)
        path.write_bytes(changed)
        return path

    return build


def _duplicate(folder: Path) -> Path:
    path = to_zip(folder / "set.zip", market())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"./{NAME}", jpeg(9))
    return path


def _encrypt(content: bytearray) -> None:
    content[6] |= 1
    content[content.index(CENTRAL) + 8] |= 1


def _break_checksum(content: bytearray) -> None:
    start = content.index(b"\xff\xd8\xff") + 300
    content[start] ^= 0xFF


def _claim_size(size: int) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        struct.pack_into("<I", content, 22, size)
        struct.pack_into("<I", content, content.index(CENTRAL) + 24, size)

    return change


def _rename_inside(content: bytearray) -> None:
    content[30] ^= 1


def _cut(content: bytearray) -> None:
    del content[-100:]


def _point_nowhere(content: bytearray) -> None:
    struct.pack_into("<I", content, content.rindex(END) + 16, 0x7FFFFFFF)


def _method(number: int) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        struct.pack_into("<H", content, 8, number)
        struct.pack_into("<H", content, content.index(CENTRAL) + 10, number)

    return change


def _bomb(folder: Path) -> Path:
    path = folder / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in market():
            archive.writestr(name, bytes(12 << 20))
    return path


def _secret_bomb(folder: Path) -> Path:
    """256 MB of zeros in a member that claims a thousand bytes."""
    path = folder / "set.zip"
    files = market()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(NAME, "w", force_zip64=False) as member:
            for _ in range(256):
                member.write(bytes(1 << 20))
        del files[NAME]
        for name, content in files.items():
            archive.writestr(name, content)
    changed = bytearray(path.read_bytes())
    _claim_size(1000)(changed)
    path.write_bytes(changed)
    return path


def _overlapping(folder: Path) -> Path:
    """Every directory entry points at one and the same member."""
    path = to_zip(folder / "set.zip", market())
    content, at = bytearray(path.read_bytes()), 0
    while (at := content.find(CENTRAL, at)) >= 0:
        struct.pack_into("<I", content, at + 42, 0)
        at += 4
    path.write_bytes(content)
    return path


def million(claimed: int) -> Callable[[Path], Path]:
    """A directory of a million entries that says it had `claimed`."""

    def build(folder: Path) -> Path:
        path = folder / "set.zip"
        head = CENTRAL + bytes(24) + struct.pack("<H", 9) + bytes(16)
        with path.open("wb") as file:
            file.write(LOCAL + bytes(26))
            for number in range(MILLION):
                file.write(head + b"%09d" % number)
            size = MILLION * (len(head) + 9)
            file.write(END + struct.pack("<HHHHIIH", 0, 0, claimed, claimed, size, 30, 0))
        return path

    return build


ZIPS = {
    "zip: an absolute name": Case(with_member("/etc/passwd"), "lead out of the archive (1):"),
    "zip: a name with ..": Case(with_member("query/../../x.jpg"), "lead out of the archive (1):"),
    "zip: a name with backslashes": Case(with_member("..\\..\\x.jpg"), "lead out of the archive"),
    "zip: a symbolic link": Case(
        with_member("query/link.jpg", mode=0o120777, content=b"/etc/passwd"), "links, devices"
    ),
    "zip: a device": Case(with_member("query/null.jpg", mode=0o020666), "links, devices or pipes"),
    "zip: a name twice": Case(_duplicate, "names that stand twice (1):"),
    "zip: encrypted": Case(patched(_encrypt), "encrypted files (1):"),
    "zip: a bad checksum": Case(patched(_break_checksum, method=0), "Bad CRC-32"),
    "zip: a size that is too small": Case(patched(_claim_size(100)), "files that cannot be read"),
    "zip: a size that is too large": Case(patched(_claim_size(9999)), "files that cannot be read"),
    "zip: a size of 4 GB": Case(patched(_claim_size(0xFFFFFFF0)), "unpacks to far more"),
    "zip: other names inside": Case(patched(_rename_inside), "files that cannot be read"),
    "zip: cut short": Case(patched(_cut), "or a damaged one"),
    "zip: a directory elsewhere": Case(patched(_point_nowhere), "files that cannot be read"),
    "zip: bzip2": Case(patched(_method(12)), "compression method 12"),
    "zip: an unknown method": Case(patched(_method(99)), "compression method 99"),
    "zip: a bomb": Case(_bomb, "unpacks to far more than images would"),
    "zip: a bomb that claims 1,000 bytes": Case(_secret_bomb, "files that cannot be read"),
    "zip: overlapping members": Case(_overlapping, "files that cannot be read"),
    "zip: a million members": Case(million(65535), "more files than any data set has"),
    "zip: a million that claim to be 3": Case(million(3), "more files than any data set has"),
}

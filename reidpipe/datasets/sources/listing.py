"""Plain files of an archive or a folder by name, and the rules that every listing must keep.

An archive is taken as hostile until it has been listed: names that leave it, links, devices and
duplicates are refused, and every number in it that could cost memory or time has a bound.
"""

import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reidpipe.errors import Problems, UserError

MAX_FILES = 300_000
"""Twice MSMT17, the largest of the benchmarks."""
MAX_FILE_BYTES = 16 << 20
"""A pedestrian crop has some 10 kB, the longest list file 4 MB."""
MAX_RATIO = 100
"""JPEG does not shrink: what unpacks to more than this many times its size is a bomb."""
RATIO_SLACK = 64 << 20
"""Bytes that a small archive may unpack to whatever its ratio."""

TAKE_AGAIN = "take the archive from its publisher again, or pack it anew from the plain files"


class UnreadableFileError(Exception):
    """One file cannot be read: bad checksum, cut short, too long, unknown method."""


@dataclass(frozen=True)
class Tree:
    """Plain files: their sizes in bytes by name (folders joined by `/`), and a way to read one."""

    path: Path
    sizes: Mapping[str, int]
    open_file: Callable[[str], bytes]
    left_out: Problems = field(default_factory=Problems)
    """What a lenient listing passed over."""

    def read(self, name: str) -> bytes:
        """The whole of one file.

        Raises:
            UnreadableFileError: also when it is longer than anything in a data set.
        """
        if self.sizes[name] > MAX_FILE_BYTES:
            raise UnreadableFileError(f"{self.sizes[name]:,} bytes, at most {MAX_FILE_BYTES:,}")
        content = self.open_file(name)
        if len(content) != self.sizes[name]:
            raise UnreadableFileError(f"{len(content):,} bytes of {self.sizes[name]:,}")
        return content

    def under(self, root: str) -> "Tree":
        """The files below the folder `root` (`""` or ending in `/`), by their names there."""
        sizes = {k.removeprefix(root): v for k, v in self.sizes.items() if k.startswith(root)}
        return Tree(self.path, sizes, lambda name: self.open_file(root + name), self.left_out)


class Listing:
    """Sizes by clean name while a source is being listed, and what is wrong with it."""

    def __init__(self, path: Path, *, lenient: bool = False) -> None:
        self.path, self.lenient = path, lenient
        self.sizes: dict[str, int] = {}
        self.problems = Problems()
        self._entries = 0

    def add(self, name: str, size: int, kind: int) -> str:
        """Note an entry, `kind` being its file type as in st_mode.

        Returns its clean name, or "" where there is nothing to read (a folder, a desktop's litter).

        Raises:
            UserError: there are more entries than any data set has.
        """
        self._entries += 1
        if self._entries > MAX_FILES:
            raise too_many(self.path)
        clean = "/".join(part for part in name.split("/") if part not in {"", "."})
        if kind not in {stat.S_IFREG, stat.S_IFDIR}:
            self.problems.add("links, devices or pipes", ascii(name))
        elif name.startswith("/") or "\\" in name or ".." in clean.split("/"):
            self.problems.add("names that lead out of the archive", ascii(name))
        elif clean in self.sizes:
            self.problems.add("names that stand twice", ascii(name))
        elif not _is_utf8(name):
            self.problems.add("names that are not UTF-8", ascii(name))
        elif kind == stat.S_IFREG and not _is_litter(clean):
            self.sizes[clean] = size
            return clean
        return ""

    def tree(self, open_file: Callable[[str], bytes], *, fix: str = TAKE_AGAIN) -> Tree:
        """What was listed.

        Raises:
            UserError: something was wrong, and the listing is not lenient.
        """
        if not self.lenient:
            self.problems.refuse(self.path, fix=fix)
        return Tree(self.path, self.sizes, open_file, self.problems)


def _is_utf8(name: str) -> bool:
    """Other names come as lone surrogates, which no file of ours could hold."""
    return name.isascii() or not any("\ud800" <= sign <= "\udfff" for sign in name)


def _is_litter(name: str) -> bool:
    """Files that desktops leave behind (Market-1501's own archive holds Thumbs.db)."""
    parts = name.split("/")
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return hidden or parts[-1].lower() in {"thumbs.db", "desktop.ini"}


def too_many(path: Path) -> UserError:
    """The error for a source that holds more than MAX_FILES."""
    return UserError(
        "more files than any data set has",
        where=path,
        expected=f"at most {MAX_FILES:,}",
        fix="name the archive or folder of the one data set",
    )


def check_ratio(path: Path, unpacked: int) -> None:
    """Raise UserError when `unpacked` bytes are more than images in an archive can come to."""
    limit = RATIO_SLACK + MAX_RATIO * path.stat().st_size
    if unpacked > limit:
        raise UserError(
            "the archive unpacks to far more than images would",
            where=path,
            expected=f"at most {limit:,} bytes",
            found=f"{unpacked:,} or more",
            fix=TAKE_AGAIN,
        )


def damaged(path: Path, found: object) -> UserError:
    """The error for a file that zipfile, tarfile or gzip cannot follow."""
    return UserError(
        "not a zip, tar or tar.gz file, or a damaged one", where=path, found=found, fix=TAKE_AGAIN
    )

"""Files of a gallery that an index knows: by the time of their change, else by their content."""

import time
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path

from reidpipe.datasets.sources.listing import Tree, UnreadableFileError
from reidpipe.formats.index import DIGEST_BYTES, Index

Stamp = tuple[int, int, int]
UNKNOWN: Stamp = (0, 0, 0)
FRESH_NS = 2_000_000_000
"""A file may change twice within one time stamp: on the coarsest of file systems, 2 seconds."""


class Contents:
    """The files of `tree`, with their digests as far as they were read or are remembered."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.digests: dict[str, bytes] = {}
        """SHA-256 by name."""
        self._begun = time.time_ns()
        self._stamped = cache(_stamp)

    def known(self, old: Index, names: Sequence[str]) -> dict[str, int]:
        """Rows of `old` by the names of those files whose content it has.

        A file is read unless its stamp is the one that `old` has: so one that was copied, renamed
        or packed anew is known too.
        """
        if not len(old):
            return {}
        stored = old.content.numpy().tobytes()
        digests = [stored[at : at + DIGEST_BYTES] for at in range(0, len(stored), DIGEST_BYTES)]
        stamps = [tuple(stamp) for stamp in old.stamp.tolist()]
        by_name = {name: row for row, name in enumerate(old.names)}
        by_content = {digest: row for row, digest in enumerate(digests)}
        found = {}
        for name in names:
            own = by_name.get(name)
            if own is not None and stamps[own] != UNKNOWN and stamps[own] == self._stamp(name):
                self.digests[name] = digests[own]
            else:
                try:
                    self.read(name)
                except UnreadableFileError:
                    continue  # whoever embeds it says so
            digest = self.digests[name]
            # Of equal files each keeps its own row.
            row = own if own is not None and digests[own] == digest else by_content.get(digest)
            if row is not None:
                found[name] = row
        return found

    def read(self, name: str) -> bytes:
        """The content of a file, whose digest is noted.

        Raises:
            UnreadableFileError: as the tree does.
        """
        self._stamp(name)  # before the content: a change after it is then seen the next time
        content = self.tree.read(name)
        self.digests[name] = sha256(content).digest()
        return content

    def settled(self, name: str) -> Stamp:
        """The stamp of a file, or UNKNOWN while a change could still leave it as it is."""
        stamp = self._stamp(name)
        return stamp if max(stamp[1:]) < self._begun - FRESH_NS else UNKNOWN

    def _stamp(self, name: str) -> Stamp:
        """Of what an archive holds, the archive's."""
        path = self.tree.path
        return self._stamped(path / name if path.is_dir() else path)


def _stamp(path: Path) -> Stamp:
    """Bytes, and the times of the last change of the file and of its entry."""
    try:
        status = path.stat()
    except OSError:
        return UNKNOWN
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns

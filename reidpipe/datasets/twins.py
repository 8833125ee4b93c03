"""Images with equal pixels under two identities: label noise, or a tie that nothing can decide."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from reidpipe.datasets.reading import Record
from reidpipe.formats import zips
from reidpipe.formats.pictures import decode

_THREADS = 2


def twins(zipped: Path, rows: Iterable[Record], *, shared_ids: bool) -> list[list[Record]]:
    """Groups of such images, each by name; `shared_ids` as `Reading` has it."""
    rows = list(rows)
    same: defaultdict[bytes, list[Record]] = defaultdict(list)
    with ThreadPoolExecutor(_THREADS) as pool:
        for row, seen in zip(
            rows, pool.map(lambda row: _seen(zipped, row.member), rows), strict=True
        ):
            same[seen].append(row)
    groups = [sorted(group) for group in same.values() if _identities(group, shared_ids) > 1]
    return sorted(groups)


def _seen(zipped: Path, member: str) -> bytes:
    """A digest of an image's size and pixels."""
    image = decode(zips.read(zipped, member))
    return hashlib.blake2b(repr(image.size).encode() + image.tobytes(), digest_size=16).digest()


def _identities(group: Iterable[Record], shared_ids: bool) -> int:
    return len({(row.pid, shared_ids or row.subset == "train") for row in group})

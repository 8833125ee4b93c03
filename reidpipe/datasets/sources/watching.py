"""Whether an archive without a checksum is still the one that was read.

Names, sizes and times say when it must be read again; what decides is a digest of what it holds,
which is the same on every machine. DVC knows nothing of files outside the repository.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reidpipe.datasets.sources.locating import here
from reidpipe.files import digest, write_json
from reidpipe.formats.settings.data import ArchiveSource

SEEN = Path("data/seen.json")
"""What was read when; safe to delete."""


def content(source: ArchiveSource, root: Path = Path()) -> str:
    """SHA-256 of the archive or folder of `source`, or "" where none is on this machine.

    Of a folder: of the names and digests of its files. It is computed where the notes under `root`
    do not have it.
    """
    path = here(source)
    if path is None:
        return ""
    notes, key, stamp = _notes(root / SEEN), str(path.absolute()), _stamp(path)
    if notes.get(key, {}).get("stamp") != stamp:
        notes[key] = {"stamp": stamp, "sha256": _digest(path)}
        write_json(root / SEEN, dict(sorted(notes.items())))
    return str(notes[key]["sha256"])


def _notes(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _stamp(path: Path) -> str:
    total = hashlib.sha256()
    for name, file in _files(path):
        status = file.stat()
        total.update(ascii((name, status.st_size, status.st_mtime_ns)).encode())
    return total.hexdigest()


def _digest(path: Path) -> str:
    if not path.is_dir():
        return digest(path)
    total = hashlib.sha256()
    for name, file in _files(path):
        total.update(f"{name!a} {digest(file)}\n".encode())
    return total.hexdigest()


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    """The file itself, or those of a folder in the order of their names; links to nowhere not."""
    if not path.is_dir():
        yield "", path
        return
    files = ((file.relative_to(path).as_posix(), file) for file in path.rglob("*"))
    yield from sorted((name, file) for name, file in files if file.is_file())

"""Where on this machine the archive of a data set lies."""

import hashlib
import os
from pathlib import Path
from unicodedata import normalize

from reidpipe.datasets.sources.fetch import Report, fetch
from reidpipe.errors import UserError, nearest
from reidpipe.files import digest
from reidpipe.formats.settings.data import ArchiveSource

ENVIRONMENT = "REIDPIPE_ARCHIVES"
ARCHIVES = Path("data/archives")
"""Where archives lie when the environment names no folder."""
FETCHED = Path("data/fetched")
"""Where archives with a `url` go; safe to delete."""


def folder() -> Path:
    """The folder that REIDPIPE_ARCHIVES names, or `data/archives`."""
    return Path(os.environ.get(ENVIRONMENT) or ARCHIVES)


def find(source: ArchiveSource, report: Report | None = None) -> Path:
    """The archive or folder of `source`; fetched first where the user wrote a url and has no file.

    Raises:
        UserError: it is not there, or cannot be fetched.
    """
    path = folder() / source.file
    if found := _own(path):
        return found
    if source.url:
        return fetch(source.url, _fetched(source.url, source.file), report)
    there = sorted(entry.name for entry in folder().iterdir()) if folder().is_dir() else []
    raise UserError(
        "an archive is missing",
        where=path,
        expected=f"{source.file} in the folder that {ENVIRONMENT} names",
        found=", ".join(there[:20]) or "an empty folder, or none",
        fix=nearest(Path(source.file).name, there)
        or f"put it there, or set {ENVIRONMENT} to the folder that holds it{_absolute()}\n"
        "docs/datasets.md says where it comes from; reidpipe leave-out does without it",
    )


def _absolute() -> str:
    """Experiments that DVC runs in a folder of their own start elsewhere."""
    return "" if folder().is_absolute() else f" ({folder()} counts from {Path.cwd()})"


def here(source: ArchiveSource) -> Path | None:
    """Where `find` would find it without fetching; None where it is not on this machine."""
    if found := _own(folder() / source.file):
        return found
    fetched = _fetched(source.url, source.file) if source.url else None
    return fetched if fetched and fetched.exists() else None


def _fetched(url: str, file: str) -> Path:
    """Another url is another file, though it has the same name."""
    return FETCHED / hashlib.sha256(url.encode()).hexdigest()[:12] / Path(file).name


def _own(path: Path) -> Path | None:
    """`path`, or the one whose name has its accents otherwise: macOS writes them apart."""
    if path.exists() or path.name.isascii() or not path.parent.is_dir():
        return path if path.exists() else None
    wanted = normalize("NFC", path.name)
    same = (entry for entry in path.parent.iterdir() if normalize("NFC", entry.name) == wanted)
    return next(same, None)


def verify(path: Path, source: ArchiveSource) -> str | None:
    """Compare with the checksums of the parameters; without any, return the sha256 to pin.

    Raises:
        UserError: another file, a damaged one, or a folder, which has no checksum.
    """
    wanted = {"md5": source.md5, "sha256": source.sha256}
    expected = {name: value.lower() for name, value in wanted.items() if value}
    if path.is_dir():
        if expected:
            raise _mismatch(path, expected, "a folder")
        return None
    found = {name: digest(path, name) for name in expected or ["sha256"]}
    if expected and found != expected:
        if FETCHED in path.parents:  # or every later run would meet it again
            path.unlink()
        raise _mismatch(path, expected, _named(found))
    return None if expected else found["sha256"]


def _mismatch(path: Path, expected: dict[str, str], found: str) -> UserError:
    return UserError(
        "not the file that the parameters name by its checksum",
        where=path,
        expected=_named(expected),
        found=found,
        fix="take it again; if it is the one that you mean, set params.yaml to its checksum",
    )


def _named(checksums: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in checksums.items())

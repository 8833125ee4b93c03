"""Fetch an archive from the url that a user wrote, whole or not at all."""

from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname, urlopen

from reidpipe.errors import UserError
from reidpipe.files import replacing

Report = Callable[[int, int], object]

SCHEMES = ("http", "https", "file")
_TIMEOUT = 30.0
"""Seconds without a byte."""
_BLOCK = 1 << 18


def fetch(url: str, path: Path, report: Report | None = None) -> Path:
    """Fetch `url` to `path` unless it is there; a `file:` url is used where it lies.

    `report` is told how many bytes are done, of how many (0: the server does not say).

    Raises:
        UserError: another scheme, no such file, no answer, or a transfer that broke off.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        local = Path(url2pathname(parts.path))
        if not local.exists():
            raise _failed(url, "no such file")
        return local
    if parts.scheme not in SCHEMES:
        raise _failed(url, f"scheme {parts.scheme!r}, not {', '.join(SCHEMES)}")
    if not path.exists():
        try:
            _fetch(url, path, report)
        except (HTTPException, OSError, ValueError) as error:
            raise _failed(url, error) from None
    return path


def _fetch(url: str, path: Path, report: Report | None) -> None:
    with (
        urlopen(url, timeout=_TIMEOUT) as answer,  # noqa: S310 - `fetch` has checked the scheme
        replacing(path) as temporary,
        temporary.open("wb") as file,
    ):
        total, done = int(answer.headers.get("Content-Length") or 0), 0
        while block := answer.read(_BLOCK):
            file.write(block)
            done += len(block)
            if report:
                report(done, total)
        if total and done != total:
            raise ConnectionError(f"it broke off after {done:,} of {total:,} bytes")


def _failed(url: str, found: object) -> UserError:
    return UserError(
        "an archive cannot be fetched",
        where=url,
        found=found,
        fix="run the stage again, correct url in params.yaml, or fetch it by hand",
    )

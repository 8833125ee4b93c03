"""Fetch an archive from the url that a user wrote, whole or not at all."""

from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname, urlopen

from reidpipe.datasets.sources.opening import is_archive
from reidpipe.errors import UserError
from reidpipe.files import replacing

Report = Callable[[int, int], object]

SCHEMES = ("http", "https", "file")
_TIMEOUT = 30.0
"""Seconds without a byte."""
_BLOCK = 1 << 18
_SHOWN = 200


def fetch(url: str, path: Path, report: Report | None = None) -> Path:
    """Fetch `url` to `path` unless an archive is there; a `file:` url is used where it lies.

    `report` is told how many bytes are done, of how many (0: the server does not say).

    Raises:
        UserError: another scheme, no such file, no answer, a transfer that broke off, or something
            else than an archive (a page that asks for a log-in or names a limit).
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        local = Path(url2pathname(parts.path))
        if not local.exists():
            raise _failed(url, "no such file")
        return local
    if parts.scheme not in SCHEMES:
        raise _failed(url, f"scheme {parts.scheme!r}, not {', '.join(SCHEMES)}")
    if not path.exists() or not is_archive(path):
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
        file.flush()
        if not is_archive(temporary):
            raise UserError(
                "what was fetched is no archive",
                where=url,
                expected="a zip, tar or tar.gz",
                found=f"{answer.headers.get_content_type()}: {_beginning(temporary)}",
                fix="open the url in a browser: it may ask for a log-in or name a limit; fetch the "
                "archive there and put it where REIDPIPE_ARCHIVES says (docs/datasets.md)",
            )


def _beginning(path: Path) -> str:
    """The first words of a file, readable whatever it is."""
    with path.open("rb") as file:
        text = (
            file.read(_SHOWN).decode("ascii", "replace").replace("\N{REPLACEMENT CHARACTER}", "?")
        )
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _failed(url: str, found: object) -> UserError:
    return UserError(
        "an archive cannot be fetched",
        where=url,
        found=found,
        fix="run the stage again, correct url in params.yaml, or fetch it by hand",
    )

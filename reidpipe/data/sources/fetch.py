"""Fetch an archive from the url that a user wrote: resumed where it stopped, whole or absent.

A broken-off transfer is kept under a name made of the url and the server's word for this version
of the file (ETag or date, and length), so that a changed file is never glued to an old beginning.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO, cast
from urllib.parse import urlsplit
from urllib.request import Request, url2pathname, urlopen

from reidpipe.errors import UserError

Report = Callable[[int, int], object]

SCHEMES = ("http", "https", "file")
_TIMEOUT = 30.0
"""Seconds without a byte."""
_BLOCK = 1 << 18


def fetch(url: str, path: Path, report: Report | None = None) -> Path:
    """Fetch `url` to `path` unless it is there; a `file:` url is used where it lies.

    `report` is told how many bytes are done, of how many (0: the server does not say).

    Raises:
        UserError: another scheme, no such file, no answer, or a transfer that broke off: what came
            is kept, and the next call goes on from there.
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
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _fetch(url, path, report)
        except (HTTPException, OSError, ValueError) as error:
            raise _failed(url, error) from None
    return path


def _fetch(url: str, path: Path, report: Report | None) -> None:
    with _opened(url) as answer:
        part, total = _part(url, path, answer), int(answer.headers.get("Content-Length") or 0)
    with _locked(part) as file:
        offset = file.tell()
        if not total or offset < total:
            with _opened(url, offset) as answer:
                if answer.status != HTTPStatus.PARTIAL_CONTENT:
                    file.truncate(0)
                _append(answer, file, total, report)
        os.fsync(file.fileno())
        part.replace(path)


def _opened(url: str, offset: int = 0) -> HTTPResponse:
    headers = {"Range": f"bytes={offset}-"} if offset else {}
    request = Request(url, headers=headers)  # noqa: S310 - `fetch` has checked the scheme
    return cast("HTTPResponse", urlopen(request, timeout=_TIMEOUT))  # noqa: S310


def _part(url: str, path: Path, answer: HTTPResponse) -> Path:
    """Where the beginning of this version of the file is kept."""
    version = answer.headers.get("ETag") or answer.headers.get("Last-Modified")
    key = f"{url} {version} {answer.headers.get('Content-Length')}"
    part = path.with_name(f"{path.name}.{hashlib.sha256(key.encode()).hexdigest()[:12]}.part")
    if not version:
        part.unlink(missing_ok=True)
    return part


@contextmanager
def _locked(part: Path) -> Iterator[IO[bytes]]:
    with part.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(f"another process is writing {part}") from None
        yield file


def _append(answer: HTTPResponse, file: IO[bytes], total: int, report: Report | None) -> None:
    done = file.seek(0, os.SEEK_END)
    while block := answer.read(_BLOCK):
        file.write(block)
        done += len(block)
        if report:
            report(done, total)
    file.flush()
    if total and done != total:
        raise ConnectionError(f"it broke off after {done:,} of {total:,} bytes")


def _failed(url: str, found: object) -> UserError:
    return UserError(
        "an archive cannot be fetched",
        where=url,
        found=found,
        fix="run the stage again to go on, correct url in params.yaml, or fetch it by hand",
    )

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from reidpipe.datasets.sources.fetch import fetch
from reidpipe.errors import UserError

CONTENT = b"PK\3\4" + bytes(range(256)) * 4096
PAGES = {
    "a log-in": b"<!doctype html>\n<title>Sign in</title>",
    "a quota": b"<html><head><title>Google Drive - Quota exceeded</title></head></html>",
    "words of JSON": b'{"error": "not found"}',
    "bytes": b"\0\xff\x1b[31m" * 100,
    "nothing": b"",
}


class Server(BaseHTTPRequestHandler):
    """Serves `content`, breaking off after `stop` bytes of an answer."""

    content: ClassVar[bytes]
    stop: ClassVar[int | None]
    asked: ClassVar[int]

    def do_GET(self) -> None:
        type(self).asked += 1
        if self.path != "/set.zip":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content[: self.stop])

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> type[Server]:
    Server.content, Server.stop, Server.asked = CONTENT, None, 0
    return Server


@pytest.fixture
def url(server: type[Server]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), server) as listening:
        threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}/set.zip"
        listening.shutdown()


def test_a_file_is_fetched_whole_with_progress_and_once(
    url: str, server: type[Server], tmp_path: Path
) -> None:
    steps: list[tuple[int, int]] = []
    path = tmp_path / "cache" / "set.zip"
    assert fetch(url, path, lambda *step: steps.append(step)) == path
    assert path.read_bytes() == CONTENT
    assert steps[-1] == (len(CONTENT), len(CONTENT))
    assert steps == sorted(steps)
    fetch(url, path)
    assert server.asked == 1
    assert list(path.parent.iterdir()) == [path]


def test_a_broken_transfer_leaves_nothing_and_the_next_is_whole(
    url: str, server: type[Server], tmp_path: Path
) -> None:
    path = tmp_path / "set.zip"
    server.stop = 300_000
    with pytest.raises(UserError, match="broke off after 300,000 of 1,048,580 bytes"):
        fetch(url, path)
    assert not list(tmp_path.iterdir())
    server.stop = None
    assert fetch(url, path).read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", PAGES)
def test_what_is_no_archive_is_refused_and_asked_for_again(
    name: str, url: str, server: type[Server], tmp_path: Path
) -> None:
    server.content = PAGES[name]
    path = tmp_path / "set.zip"
    with pytest.raises(UserError, match="what was fetched is no archive") as caught:
        fetch(url, path)
    assert str(caught.value).isprintable() or "\x1b" not in str(caught.value)
    assert not list(tmp_path.iterdir())
    path.write_bytes(PAGES[name])  # an older version kept it
    server.content = CONTENT
    assert fetch(url, path).read_bytes() == CONTENT


def test_what_cannot_be_fetched_is_explained(url: str, tmp_path: Path) -> None:
    nobody = "http://127.0.0.1:9/set.zip"
    wrong = {url.replace("set", "other"): "404", nobody: "refused", "ftp://x/y": "scheme 'ftp'"}
    wrong |= {f"file://{tmp_path}/none.zip": "no such file", "http://": "no host"}
    for address, words in wrong.items():
        with pytest.raises(UserError, match="an archive cannot be fetched") as caught:
            fetch(address, tmp_path / "set.zip")
        assert words in str(caught.value)
    assert not (tmp_path / "set.zip").exists()


def test_a_file_url_is_used_where_it_lies(tmp_path: Path) -> None:
    local = tmp_path / "my set.zip"
    local.write_bytes(CONTENT)
    assert fetch(local.as_uri(), tmp_path / "cache.zip") == local
    assert not (tmp_path / "cache.zip").exists()

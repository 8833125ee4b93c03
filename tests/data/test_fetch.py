import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from reidpipe.data.sources.fetch import fetch
from reidpipe.errors import UserError

CONTENT = bytes(range(256)) * 4096


class Server(BaseHTTPRequestHandler):
    """Serves `content`, breaking off after `stop` bytes of an answer."""

    content: ClassVar[bytes]
    stop: ClassVar[int | None]
    headers_sent: ClassVar[dict[str, str]]
    ranges: ClassVar[list[str | None]]
    allow_ranges: ClassVar[bool]

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.ranges.append(wanted)
        if self.path != "/set.zip":
            self.send_error(404)
            return
        start = int(wanted[6:-1]) if wanted and self.allow_ranges else 0
        self.send_response(206 if start else 200)
        for name, value in self.headers_sent.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(self.content) - start))
        self.end_headers()
        end = len(self.content) if self.stop is None else start + self.stop
        try:
            self.wfile.write(self.content[start:end])
        except OSError:  # the first look at the headers hangs up
            return

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> type[Server]:
    Server.content, Server.stop, Server.allow_ranges = CONTENT, None, True
    Server.headers_sent, Server.ranges = {"ETag": '"1"'}, []
    return Server


@pytest.fixture
def url(server: type[Server]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), server) as listening:
        threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}/set.zip"
        listening.shutdown()


def broken_off(server: type[Server], url: str, path: Path) -> None:
    server.stop = 300_000
    with pytest.raises(UserError, match="broke off after 300,000 of 1,048,576 bytes"):
        fetch(url, path)
    server.stop = None
    assert not path.exists()


def test_a_file_is_fetched_whole_with_progress_and_once(
    url: str, server: type[Server], tmp_path: Path
) -> None:
    steps: list[tuple[int, int]] = []
    path = tmp_path / "cache" / "set.zip"
    assert fetch(url, path, lambda *step: steps.append(step)) == path
    assert path.read_bytes() == CONTENT
    assert steps[-1] == (len(CONTENT), len(CONTENT))
    assert steps == sorted(steps)
    requests = len(server.ranges)
    fetch(url, path)
    assert len(server.ranges) == requests
    assert list(path.parent.iterdir()) == [path]


def test_a_broken_transfer_goes_on_where_it_stopped(
    url: str, server: type[Server], tmp_path: Path
) -> None:
    path = tmp_path / "set.zip"
    broken_off(server, url, path)
    assert fetch(url, path).read_bytes() == CONTENT
    assert server.ranges[-1] == "bytes=300000-"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("headers", [{"ETag": '"2"'}, {}], ids=["new version", "no version"])
def test_an_old_beginning_is_never_glued_to_another_file(
    headers: dict[str, str], url: str, server: type[Server], tmp_path: Path
) -> None:
    server.headers_sent = headers if not headers else server.headers_sent
    broken_off(server, url, tmp_path / "set.zip")
    server.content, server.headers_sent = CONTENT[::-1], headers
    assert fetch(url, tmp_path / "set.zip").read_bytes() == CONTENT[::-1]


def test_a_server_without_ranges_starts_anew(
    url: str, server: type[Server], tmp_path: Path
) -> None:
    broken_off(server, url, tmp_path / "set.zip")
    server.allow_ranges = False
    assert fetch(url, tmp_path / "set.zip").read_bytes() == CONTENT


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

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from reidpipe.datasets.sources.fetch import fetch
from reidpipe.errors import UserError

CONTENT = bytes(range(256)) * 4096


class Server(BaseHTTPRequestHandler):
    """Serves CONTENT, breaking off after `stop` bytes of an answer."""

    stop: ClassVar[int | None]
    asked: ClassVar[int]

    def do_GET(self) -> None:
        type(self).asked += 1
        if self.path != "/set.zip":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: self.stop])

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> type[Server]:
    Server.stop, Server.asked = None, 0
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
    with pytest.raises(UserError, match="broke off after 300,000 of 1,048,576 bytes"):
        fetch(url, path)
    assert not list(tmp_path.iterdir())
    server.stop = None
    assert fetch(url, path).read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [path]


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

"""The page of a search: everything is inside it, and names are text."""

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from reidpipe.cli import app
from reidpipe.commands.search.found import Found, Match
from reidpipe.commands.search.page import SIDE, page
from reidpipe.errors import Problems
from reidpipe.formats.pictures import decode
from reidpipe.reporting.pictures.pictures import png
from tests.commands.searches import furnish
from tests.trained import photograph

ODD = '"><script>alert(1)</script>.png'


def written(*, limit: float | None = None, count: int = 3) -> str:
    """A page of `count` matches at the distances 0, 0.1 ..."""
    matches = [
        Match(ODD if number == 1 else f"camera/{number}.png", number / 10, photograph(number))
        for number in range(count)
    ]
    queries = (photograph(3), png(Image.new("RGB", (3000, 900), "green")))
    found = Found(queries, tuple(matches), 7, 0, Problems(), 0, "cosine")
    names = ["who.png", "wide.png"]
    return page(found, names, run="mine", gallery="gallery", notes=["7 <searched>"], limit=limit)


class Seen(HTMLParser):
    """Tags with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_everything_is_inside() -> None:
    text = written()
    seen = Seen(text)
    sources = [image["src"] or "" for image in seen.all("img")]
    assert len(sources) == 2 + 3 + 1
    assert all(source.startswith("data:image/") for source in sources)
    assert not seen.all("link")
    assert "default-src 'none'" in (seen.all("meta")[-1]["content"] or "")
    assert not re.search(r"https?://|url\(|@import", text)


def test_names_are_text() -> None:
    seen = Seen(written())
    assert len(seen.all("script")) == 1
    assert [button["data-name"] for button in seen.all("button") if "data-name" in button] == [
        *("camera/0.png", ODD, "camera/2.png")
    ]


def test_a_limit_says_which_are_near() -> None:
    buttons = [button for button in Seen(written(limit=0.1)).all("button") if "data-rank" in button]
    assert [button["data-verdict"] for button in buttons] == [
        *("nearer than 0.1000", "not nearer than 0.1000", "not nearer than 0.1000")
    ]
    assert "near" in (buttons[0]["class"] or "").split()
    assert "Against the limit" not in written()


def test_large_photographs_are_made_smaller() -> None:
    wide = (Seen(written()).all("img")[1]["src"] or "").partition(",")[2]
    assert decode(base64.b64decode(wide)).size == (SIDE, round(SIDE * 900 / 3000))


def test_the_command_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    furnish(tmp_path, monkeypatch)
    arguments = ["search", "mine", "gallery", "who.png", "--top", "4", "--page"]
    result = CliRunner().invoke(app, [*arguments, "out/a.html"], catch_exceptions=False)
    assert result.exit_code == 0
    text = Path("out/a.html").read_text()
    assert len([True for button in Seen(text).all("button") if "data-rank" in button]) == 4
    assert "7 images of gallery searched" in text
    wrong = CliRunner().invoke(app, [*arguments, "a.pdf"])
    assert wrong.exit_code == 2

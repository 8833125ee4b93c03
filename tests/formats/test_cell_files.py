"""Cells as JSON: read as written, and refused where they are none."""

import json
from pathlib import Path
from typing import Any

import pytest

from reidpipe.errors import UserError
from reidpipe.formats import cells
from reidpipe.systems.autoreid import PUBLISHED


def test_a_cell_is_read_as_it_was_written(tmp_path: Path) -> None:
    cells.write(tmp_path / "a.json", PUBLISHED)
    assert cells.read(tmp_path / "a.json") == PUBLISHED
    assert len((tmp_path / "a.json").read_text().splitlines()) == 14, "a node a line"


def changed(place: tuple[Any, ...], value: Any) -> Any:
    content = json.loads(json.dumps(PUBLISHED))
    part = content
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    return content


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {"normal": PUBLISHED["normal"]},
        changed(("other",), []),
        changed(("normal",), PUBLISHED["normal"][:3]),
        changed(("normal", 0), [["skip", 0]]),
        changed(("normal", 0, 1), ["skip", 2]),
        changed(("reduce", 3, 0), ["skip", -1]),
        changed(("reduce", 3, 0), ["none", 0]),
        changed(("reduce", 3, 0), ["skip", True]),
        changed(("reduce", 3, 0), ["skip"]),
        changed(("reduce", 3), "skip"),
        changed(("reduce",), 7),
    ],
)
def test_what_is_no_cell_is_refused(tmp_path: Path, content: Any) -> None:
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="not the cell of a network") as caught:
        cells.read(tmp_path / "a.json")
    assert "4 nodes of 2 edges" in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "\x00"])
def test_what_is_no_json_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UserError, match="not JSON"):
        cells.read(tmp_path / "a.json")


def test_a_missing_cell_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.json"):
        cells.read(tmp_path / "a.json")

"""An archive without a checksum: another content is another digest, anything else is not."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from reidpipe.datasets.sources import watching
from reidpipe.formats.settings.data import ArchiveSource
from tests.datasets.archives import market, to_folder, to_tar, to_zip


def source(file: str, **values: str) -> ArchiveSource:
    return ArchiveSource.model_validate(
        {"source": "archive", "layout": "market1501", "file": file, **values}
    )


KINDS = {"own.zip": to_zip, "own.tar": to_tar, "own": to_folder}


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("name", KINDS)
def test_other_content_is_noticed(archives: Path, name: str, linked: bool) -> None:
    put: Callable[..., Path] = KINDS[name]
    real = archives.parent / "elsewhere" / name
    real.parent.mkdir()
    put(real, market())
    if linked:
        (archives / name).symlink_to(real)
    else:
        shutil.move(real, archives / name)
        real = archives / name
    before = watching.content(source(name))
    assert before == watching.content(source(name))
    assert len(before) == 64
    shutil.rmtree(real) if real.is_dir() else real.unlink()
    put(real, market(train=(2, 7, 9)))
    assert watching.content(source(name)) not in {before, ""}


@pytest.mark.parametrize("name", KINDS)
def test_other_times_and_places_are_no_other_content(archives: Path, name: str) -> None:
    KINDS[name](archives / name, market())
    before = watching.content(source(name))
    for path in (archives / name, *archives.rglob("*")):
        os.utime(path, (1, 1))
    assert watching.content(source(name)) == before
    (archives / name).rename(archives / "moved")
    assert watching.content(source("moved")) == before


def test_it_is_read_again_only_where_sizes_or_times_say_so(
    archives: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_zip(archives / "own.zip", market())
    known = watching.content(source("own.zip"))
    monkeypatch.setattr(watching, "_digest", lambda _: pytest.fail("it was read"))
    assert watching.content(source("own.zip")) == known


@pytest.mark.parametrize("notes", ["", "[]", "{not json", '{"x": 1}'])
def test_notes_that_are_damaged_are_made_anew(archives: Path, notes: str) -> None:
    to_zip(archives / "own.zip", market())
    expected = watching.content(source("own.zip"))
    watching.SEEN.write_text(notes)
    assert watching.content(source("own.zip")) == expected


def test_what_is_not_here_has_no_digest_and_is_not_fetched(archives: Path) -> None:
    assert watching.content(source("own.zip", url="http://127.0.0.1:9/own.zip")) == ""


def test_a_name_from_macos_is_the_same_name(archives: Path) -> None:
    to_zip(archives / "Zu\u0308rich.zip", market())
    assert watching.content(source("Z\u00fcrich.zip"))

"""With an index each image is embedded once, and what is found stays the same."""

import os
import pickle
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from reidpipe.cli import app
from reidpipe.commands.search import contents
from reidpipe.commands.search.gallery import Gallery, indexed, plain
from reidpipe.commands.search.photographs import Photographs
from reidpipe.errors import UserError
from reidpipe.formats import index as index_file
from reidpipe.formats import weights
from reidpipe.formats.settings.extraction import ExtractParams
from tests.commands.searches import MODEL, NAMES, PROFILE, found, furnish, lay_out, source
from tests.trained import photograph, trained

INDEX = Path("gallery.index")


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out(tmp_path, monkeypatch)


def colours(images: Photographs) -> Tensor:
    """Mean colours [N, 3] for embeddings."""
    return images.take(range(len(images))).double().mean((2, 3)).float()


def kept(gallery: str = "gallery", own: str = "", model: str = "one") -> tuple[Gallery, list[str]]:
    """What is searched, and which images were embedded for it."""
    embedded: list[str] = []

    def embed(images: Photographs) -> Tensor:
        embedded.extend(images.members)
        return colours(images)

    nothing = index_file.empty(3, {"model": model, "flip": False})
    with source(gallery, embed, own) as given:
        result = indexed(given, INDEX, nothing, lambda index: index)
    with source(gallery, colours, own) as given:
        oracle = plain(given)
    assert list(result.names) == list(oracle.names)
    assert torch.equal(result.embedding, oracle.embedding)
    assert list(result.unreadable) == list(oracle.unreadable)
    assert result.squeezed == oracle.squeezed
    return result, embedded


@pytest.mark.parametrize("gallery", ["gallery", "gallery.zip", "gallery.tar.gz"])
def test_an_image_is_embedded_once(gallery: str) -> None:
    with tarfile.open("gallery.tar.gz", "w:gz") as packed:
        packed.add("gallery", ".")
    assert sorted(kept(gallery)[1]) == sorted(NAMES)
    before = INDEX.stat().st_ino
    result, embedded = kept(gallery)
    assert embedded == []
    assert result.told == "gallery.index: 0 embedded, 7 known, 0 gone"
    assert INDEX.stat().st_ino == before, "nothing is written where nothing has changed"


def test_what_cannot_be_read_is_tried_each_time_and_not_kept() -> None:
    Path("gallery/bad.png").write_bytes(photograph(0)[:99])
    written = set()
    for embedded in (["bad.png", *sorted(NAMES)], ["bad.png"], ["bad.png"]):
        result, found_new = kept()
        assert found_new == embedded
        assert result.unreadable == [0]
        written.add(INDEX.stat().st_ino)
    assert len(written) == 1, "for its sake nothing is written again"
    assert index_file.read(INDEX).names == sorted(NAMES)


def test_new_changed_removed_renamed_and_copied_files_are_noticed() -> None:
    kept()
    Path("gallery", NAMES[0]).unlink()
    Path("gallery", NAMES[1]).write_bytes(photograph(20))
    Path("gallery/new.png").write_bytes(photograph(21))
    Path("gallery", NAMES[2]).rename("gallery/other.png")
    Path("gallery/copy.png").write_bytes(photograph(4))
    result, embedded = kept()
    assert embedded == [NAMES[1], "new.png"]
    assert result.told == "gallery.index: 2 embedded, 6 known, 2 gone"
    assert index_file.read(INDEX).names == result.names
    assert kept()[1] == []


def test_a_file_that_is_changed_at_once_is_noticed() -> None:
    path = Path("gallery", NAMES[0])
    kept()
    status, content = path.stat(), bytearray(photograph(0))
    other = photograph(30)
    size = max(len(content), len(other))  # a PNG may have more behind its end
    path.write_bytes(content.ljust(size, b"\0"))
    kept()
    path.write_bytes(other.ljust(size, b"\0"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert kept()[1] == [NAMES[0]]


def test_files_that_have_long_lain_there_are_not_even_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "FRESH_NS", -(10**12))
    kept()
    assert (index_file.read(INDEX).stamp > 0).all()
    monkeypatch.setattr(contents.Contents, "read", lambda *_: pytest.fail("it was read"))
    assert kept()[1] == []


def test_a_gallery_that_is_packed_anew_is_known() -> None:
    kept("gallery.zip")
    with zipfile.ZipFile("gallery.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        for number, name in enumerate([*NAMES, "one/more.png"]):
            zipped.writestr(f"within/{name}", photograph(number))
    assert kept("gallery.zip")[1] == ["within/one/more.png"]


def test_equal_files_have_a_row_each() -> None:
    Path("gallery/twin.png").write_bytes(photograph(3))
    kept()
    before = INDEX.stat().st_ino
    assert kept()[1] == []
    assert INDEX.stat().st_ino == before


def test_a_query_of_the_gallery_stays_in_the_index() -> None:
    kept()
    result, embedded = kept(own=NAMES[2])
    assert embedded == []
    assert NAMES[2] not in result.names
    assert kept()[1] == []


def test_an_index_of_another_model_is_made_anew() -> None:
    kept()
    result, embedded = kept(model="two")
    assert sorted(embedded) == sorted(NAMES)
    assert result.told.endswith("0 gone; it was made anew, for it was of another model")
    assert kept(model="two")[1] == []


def test_a_search_that_cannot_write_leaves_the_index_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept()
    before = INDEX.read_bytes()
    Path("gallery/new.png").write_bytes(photograph(21))

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(weights, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        kept()
    assert INDEX.read_bytes() == before


class Harm:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("unpickled",)


KINDS = ("photograph", "features", "other", "pickle", "cut", "lists", "names", "flat", "made")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_index_is_refused_and_left_alone(kind: str) -> None:
    kept()
    whole, cut = index_file.read(INDEX), INDEX.read_bytes()[:-1]
    if kind == "lists":
        lists = index_file.Lists(torch.zeros(2, 3), torch.full((7,), 9), "cosine")
        index_file.write(INDEX, replace(whole, lists=lists))
    elif kind == "names":
        index_file.write(INDEX, replace(whole, names=[NAMES[0]] * 7))
    elif kind == "flat":
        index_file.write(INDEX, replace(whole, embedding=whole.embedding[:, 0]))
    elif kind == "made":
        index_file.write(INDEX, replace(whole, made=3))  # type: ignore[arg-type]
    elif kind in {"features", "other"}:
        about = {} if kind == "features" else [1]
        weights.save(INDEX, {"embedding": whole.embedding}, about)  # type: ignore[arg-type]
    else:
        other = {"photograph": photograph(1), "pickle": pickle.dumps(Harm()), "cut": cut}
        INDEX.write_bytes(other[kind])
    before = INDEX.read_bytes()
    with pytest.raises(UserError, match="not an index of a gallery") as caught:
        kept()
    assert caught.value.details["where"] == "gallery.index"
    assert INDEX.read_bytes() == before
    assert not Path("unpickled").exists()


def test_a_search_finds_the_same_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own").mkdir()
    furnish(tmp_path / "own", monkeypatch)
    without = found()
    assert found(index="gallery.index") == without
    before = INDEX.read_bytes()
    assert found(index="gallery.index") == without
    assert INDEX.read_bytes() == before
    arguments = ["search", "mine", "gallery", "who.png", "--index", "gallery.index", "--json"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert "gallery.index: 0 embedded, 7 known, 0 gone" in result.stderr
    other = PROFILE.model_copy(update={"extract": ExtractParams(flip=True)})
    monkeypatch.setattr("tests.commands.searches.PROFILE", other)
    trained(MODEL, attention="eca")
    again = found(index="gallery.index")
    assert "7 embedded" in again.told
    assert again.told.endswith("of another model and code and flip")
    assert again == found()

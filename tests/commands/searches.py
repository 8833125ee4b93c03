"""A trained run, a gallery as a folder and as a zip, and what a search finds there."""

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from torch import Tensor

from reidpipe.commands.search import Found, search
from reidpipe.commands.search.gallery import Source
from reidpipe.commands.search.photographs import Photographs
from reidpipe.datasets.sources.opening import open_tree
from reidpipe.formats.params import load
from reidpipe.runtime.settings import Loading
from tests.trained import ROOT, SIZE, photograph, trained

# The workers that training would have: a search has none, for they would share the open archive.
PROFILE = load(ROOT / "params.yaml", profile="embedded").active.model_copy(
    update={"loading": Loading(workers=2)}
)
NAMES = [f"camera{number % 2}/{number}.png" for number in range(7)]
MODEL = Path("runs/mine/model.safetensors")


def furnish(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put all of it into `folder`, and go there."""
    lay_out(folder, monkeypatch)
    monkeypatch.setenv("COLUMNS", "200")
    Path("params.yaml").symlink_to(ROOT / "params.yaml")
    trained(MODEL)


def lay_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the photographs into `folder`, and go there: a model takes longer to make."""
    monkeypatch.chdir(folder)
    with zipfile.ZipFile("gallery.zip", "w") as zipped:
        for number, name in enumerate(NAMES):
            Path("gallery", name).parent.mkdir(parents=True, exist_ok=True)
            Path("gallery", name).write_bytes(photograph(number))
            zipped.writestr(name, photograph(number))
    Path("who.png").write_bytes(photograph(3))


@contextmanager
def source(gallery: str, embed: Callable[[Photographs], Tensor], own: str = "") -> Iterator[Source]:
    """The images of a gallery but `own`, to be embedded by another way than a network."""
    with open_tree(Path(gallery), Path(), lenient=True) as tree:
        images = sorted(name for name in tree.sizes if name.endswith(".png"))
        yield Source(tree, images, [name for name in images if name != own], SIZE, embed)


def found(
    gallery: str = "gallery",
    *queries: str,
    top: int = 10,
    boxes: tuple[str, ...] = (),
    strict: bool = False,
    index: str = "",
    approximate: bool = False,
) -> Found:
    """For `queries`, or else for `who.png`, which shows what the fourth image does."""
    return search(
        MODEL,
        Path(gallery),
        queries or ("who.png",),
        PROFILE,
        top,
        boxes=boxes,
        strict=strict,
        index=Path(index) if index else None,
        approximate=approximate,
    )

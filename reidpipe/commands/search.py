"""Whom a trained model finds among photographs for one query image."""

import os
import tempfile
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from reidpipe.datasets.sources.listing import Tree, UnreadableFileError
from reidpipe.datasets.sources.opening import open_tree
from reidpipe.errors import Problems, UserError, nearest
from reidpipe.extraction.embeddings import embed
from reidpipe.formats.params import ProfileParams
from reidpipe.formats.pictures import BadImageError, decode
from reidpipe.formats.settings.extraction import ExtractParams
from reidpipe.images.images import Images
from reidpipe.metrics.distance import blocks, prepare_
from reidpipe.runtime import machine
from reidpipe.runtime.machine import on_device
from reidpipe.runtime.settings import Metric
from reidpipe.systems import System
from reidpipe.systems.trained import load

SUFFIXES = (".jpg", ".jpeg", ".png")
SQUEEZED = 2.0
"""Images are noted whose width to height is so many times the network's, or its inverse."""


@dataclass(frozen=True)
class Match:
    name: str
    """As the gallery calls the file."""
    distance: float
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class Found:
    query: bytes = field(repr=False)
    matches: tuple[Match, ...]
    """Nearest first; equal distances by name."""
    images: int
    """How many were searched."""
    others: int
    """How many files of the gallery are no images by their names."""
    skipped: Problems = field(compare=False)
    """Images that could not be read."""
    squeezed: int
    """How many of the images, the query among them, have quite another shape than its input."""
    metric: Metric
    """Of the distances."""


class Photographs(Images):
    """Images that `read` gives by name; unreadable ones are noted and left black."""

    def __init__(
        self,
        names: Sequence[str],
        read: Callable[[str], bytes],
        size: tuple[int, int],
        problems: Problems,
    ) -> None:
        super().__init__(Path(), names, size, cache_mb=0)
        self.problems = problems
        self.unreadable: set[int] = set()
        self.squeezed = 0
        self._content = read
        self._lock = Lock()

    def _one(self, index: int) -> np.ndarray:
        height, width = self.size
        name = self.members[index]
        try:
            with self._lock:  # a tar has one position
                content = self._content(name)
            image = decode(content)
        except (BadImageError, UnreadableFileError) as error:
            kind = error.kind if isinstance(error, BadImageError) else "files that cannot be read"
            with self._lock:
                self.problems.add(kind, f"{name}: {error}")
                self.unreadable.add(index)
            return np.zeros((height, width, 3), np.uint8)
        factor = (image.width / image.height) / (width / height)
        with self._lock:
            self.squeezed += max(factor, 1 / factor) > SQUEEZED
        return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))


def search(
    model_file: Path,
    gallery: Path,
    query: str,
    params: ProfileParams,
    top: int,
    *,
    strict: bool = False,
) -> Found:
    """The `top` images of a folder or archive that are nearest to `query`.

    `query` is an image file, or else the name of an image in the gallery; the list leaves it out
    where it lies in the gallery. Images of the gallery that cannot be read are passed over.

    Raises:
        UserError: the model, the gallery or the query cannot be read, there are no images, or, if
            `strict`, an image of the gallery cannot be read.
    """
    if not gallery.exists():
        raise UserError(
            "the gallery is missing",
            where=gallery,
            expected="a folder of photographs, a zip, a tar or a tar.gz",
            fix=_beside(gallery),
        )
    with open_tree(gallery, _scratch(gallery), lenient=not strict) as tree:
        images = sorted(name for name in tree.sizes if name.lower().endswith(SUFFIXES))
        own, probe = _probe(query, gallery, tree, images)
        names = [name for name in images if name != own]
        if not names:
            expected = f"files that end in {', '.join(SUFFIXES)}"
            found = f"{len(tree.sizes)} files, none of them another image"
            raise UserError("nothing to search", where=gallery, expected=expected, found=found)
        device = machine.prepare(
            params.extract.device, params.extract.threads, params.extract.instructions
        )
        trained = load(model_file)
        asked = Photographs([query], {query: probe}.__getitem__, trained.image_size, Problems())
        searched = Photographs(names, tree.read, trained.image_size, tree.left_out)
        model = on_device(trained.model, device)
        metric = params.evaluate.metric or model.metric
        distance = _distances(model, asked, searched, params.extract, metric=metric, device=device)
        asked.problems.refuse(Path(query), fix="name another query", what="the query image")
        skipped = searched.problems
        if strict:
            skipped.refuse(gallery, fix="mend or remove these", what="the gallery")
        readable = len(names) - len(searched.unreadable)
        if not readable:
            raise UserError("no image can be read", where=gallery, found=skipped)
        order = distance.sort(stable=True).indices[: min(top, readable)].tolist()
        matches = (Match(names[i], float(distance[i]), tree.read(names[i])) for i in order)
        others = len(tree.sizes) - len(images)
        squeezed = asked.squeezed + searched.squeezed
        return Found(probe, tuple(matches), readable, others, skipped, squeezed, metric)


def _beside(path: Path) -> str:
    """The entry of the same folder that `path` may mean."""
    if not path.parent.is_dir():
        return f"{path.parent} is no folder"
    return nearest(path.name, sorted(entry.name for entry in path.parent.iterdir()))


def _scratch(gallery: Path) -> Path:
    """Where a tar.gz is decompressed to: beside it, for there is room for such things."""
    beside = gallery.parent
    return beside if os.access(beside, os.W_OK) else Path(tempfile.gettempdir())


def _probe(
    query: str, gallery: Path, tree: Tree, images: Sequence[str]
) -> tuple[str | None, bytes]:
    """The query's name in the gallery, if it lies there, and its content."""
    path = Path(query)
    if path.is_file():
        inside = gallery.is_dir() and path.resolve().is_relative_to(gallery.resolve())
        name = path.resolve().relative_to(gallery.resolve()).as_posix() if inside else None
        return name, path.read_bytes()
    # Names from macOS have their accents apart.
    by_name = {unicodedata.normalize("NFC", name): name for name in images}
    if name := by_name.get(unicodedata.normalize("NFC", query)):
        try:
            return name, tree.read(name)
        except UnreadableFileError as error:
            raise UserError("the query image cannot be read", where=name, found=error) from None
    raise UserError(
        "the query image is missing",
        where=query,
        expected="an image file, or the name of an image in the gallery",
        fix=nearest(query, images),
    )


@torch.inference_mode()
def _distances(
    model: System,
    query: Photographs,
    gallery: Photographs,
    extract: ExtractParams,
    *,
    metric: Metric,
    device: torch.device,
) -> Tensor:
    """From the query to each image, float32 [G]; infinity where one cannot be read."""

    def embeddings(own: Photographs, label: str) -> Tensor:
        # No workers: each would have the open archive's position and a list of problems to itself.
        return prepare_(embed(model, own, extract, device, label=label, workers=0), metric, label)

    ((_, distance),) = blocks(embeddings(query, "query"), embeddings(gallery, "gallery"), metric)
    found = distance[0].clone()
    found[sorted(gallery.unreadable)] = torch.inf
    return found

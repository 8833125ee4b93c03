"""Whom a trained model finds among photographs for one query image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
from reidpipe.images.images import Images
from reidpipe.metrics.distance import blocks, prepare_
from reidpipe.runtime import machine
from reidpipe.runtime.machine import on_device
from reidpipe.systems.trained import load

SUFFIXES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class Match:
    name: str
    """As the gallery calls the file."""
    distance: float
    content: bytes


@dataclass(frozen=True)
class Found:
    query: bytes
    matches: tuple[Match, ...]
    """Nearest first; equal distances by name."""
    images: int
    """How many were searched."""
    others: int
    """How many files of the gallery are no images by their names."""


class Photographs(Images):
    """Images that `read` gives by name; unreadable ones are noted in `problems` and left black."""

    def __init__(
        self, names: Sequence[str], read: Callable[[str], bytes], size: tuple[int, int]
    ) -> None:
        super().__init__(Path(), names, size, cache_mb=0)
        self.problems = Problems()
        self._content = read
        self._lock = Lock()

    def _one(self, index: int) -> np.ndarray:
        height, width = self.size
        name = self.members[index]
        try:
            with self._lock:  # a tar has one position
                content = self._content(name)
            image = decode(content).resize((width, height), Image.Resampling.BICUBIC)
        except (BadImageError, UnreadableFileError) as error:
            kind = error.kind if isinstance(error, BadImageError) else "files that cannot be read"
            with self._lock:
                self.problems.add(kind, f"{name}: {error}")
            return np.zeros((height, width, 3), np.uint8)
        return np.asarray(image)


def search(model_file: Path, gallery: Path, query: str, params: ProfileParams, top: int) -> Found:
    """The `top` images of a folder or archive that are nearest to `query`.

    `query` is an image file, or else the name of an image in the gallery, which the list leaves
    out.

    Raises:
        UserError: the model, the gallery or any image cannot be read, or there are no images.
    """
    with open_tree(gallery, gallery.parent) as tree:
        images = sorted(name for name in tree.sizes if name.lower().endswith(SUFFIXES))
        probe = _probe(query, tree, images)
        names = images if Path(query).is_file() else [name for name in images if name != query]
        if not names:
            expected = f"files that end in {', '.join(SUFFIXES)}"
            found = f"{len(tree.sizes)} files, none of them another image"
            raise UserError("nothing to search", where=gallery, expected=expected, found=found)
        distance = _distances(model_file, {query: probe}, tree, names, params)
        order = distance.sort(stable=True).indices[:top].tolist()
        matches = (Match(names[i], float(distance[i]), tree.read(names[i])) for i in order)
        return Found(probe, tuple(matches), len(names), len(tree.sizes) - len(images))


def _probe(query: str, tree: Tree, images: Sequence[str]) -> bytes:
    if Path(query).is_file():
        return Path(query).read_bytes()
    if query in images:
        return tree.read(query)
    raise UserError(
        "the query image is missing",
        where=query,
        expected="an image file, or the name of an image in the gallery",
        fix=nearest(query, images),
    )


@torch.inference_mode()
def _distances(
    model_file: Path,
    query: dict[str, bytes],
    tree: Tree,
    names: Sequence[str],
    params: ProfileParams,
) -> Tensor:
    """From the query to each image, float32 [G]."""
    extract, metric = params.extract, params.evaluate.metric
    device = machine.prepare(extract.device, extract.threads, extract.instructions)
    trained = load(model_file)
    model, size = on_device(trained.model, device), trained.image_size

    def embeddings(where: Path, own: Photographs) -> Tensor:
        # No workers: each would have the open archive's position and a list of problems to itself.
        found = embed(model, own, extract, device, label=where.name, workers=0)
        own.problems.refuse(where, fix="mend or remove these")
        return prepare_(found, metric, where.name)

    ((_, distance),) = blocks(
        embeddings(Path(*query), Photographs([*query], query.__getitem__, size)),
        embeddings(tree.path, Photographs(names, tree.read, size)),
        metric,
    )
    return distance[0].clone()

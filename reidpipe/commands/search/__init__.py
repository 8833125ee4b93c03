"""Whom a trained model finds among photographs for one person."""

import os
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from reidpipe.commands.search import approximate as lists
from reidpipe.commands.search.distances import distances
from reidpipe.commands.search.found import Found, Match
from reidpipe.commands.search.gallery import Source, indexed, plain
from reidpipe.commands.search.photographs import Photographs
from reidpipe.commands.search.query import Probe, probes
from reidpipe.datasets.sources.listing import Tree
from reidpipe.datasets.sources.opening import open_tree
from reidpipe.errors import Problems, UserError, nearest
from reidpipe.extraction.embeddings import embed
from reidpipe.files import digest
from reidpipe.formats import index as index_file
from reidpipe.formats.index import Index
from reidpipe.formats.params import ProfileParams
from reidpipe.formats.settings.extraction import ExtractParams
from reidpipe.plan.code import Code
from reidpipe.runtime import machine
from reidpipe.runtime.machine import on_device
from reidpipe.runtime.settings import PACKAGE
from reidpipe.systems.trained import Trained, load

__all__ = ["Found", "Match", "search"]

SUFFIXES = (".jpg", ".jpeg", ".png")


def search(
    model_file: Path,
    gallery: Path,
    queries: Sequence[str],
    params: ProfileParams,
    top: int,
    *,
    boxes: Sequence[str] = (),
    strict: bool = False,
    index: Path | None = None,
    approximate: bool = False,
) -> Found:
    """The `top` images of a folder or archive that are nearest to the person of `queries`.

    Each of these is an image file, or else the name of an image in the gallery; the list leaves out
    those that lie in the gallery. `boxes` (`x,y,w,h` in pixels; none, one for all, or one for each)
    say where in them the person is. Images of the gallery that cannot be read are passed over.

    `index` is a file that keeps embeddings from one search to the next; images that came later are
    embedded in other batches, so that their distances may differ in the last bits. With
    `approximate`, which needs one, FAISS searches the lists that are most promising, where there
    are images enough for that.

    Raises:
        UserError: the model, the gallery, a query or the index cannot be read, a box is wrong,
            there are no images, FAISS is not installed where it is asked for, or, if `strict`, an
            image of the gallery cannot be read.
    """
    if not gallery.exists():
        raise UserError(
            "the gallery is missing",
            where=gallery,
            expected="a folder of photographs, a zip, a tar or a tar.gz",
            fix=_beside(gallery),
        )
    if approximate:
        lists.faiss()  # before the work
    with open_tree(gallery, _scratch(gallery), lenient=not strict) as tree:
        images = sorted(name for name in tree.sizes if name.lower().endswith(SUFFIXES))
        asked = probes(queries, boxes, gallery, tree, images)
        names = _others(images, asked, gallery, tree)
        device = machine.prepare(
            params.extract.device, params.extract.threads, params.extract.instructions
        )
        trained = load(model_file)
        model = on_device(trained.model, device)
        metric = params.evaluate.metric or model.metric
        # No workers: each would have the open archive's position and a list of problems to itself.
        embedded = partial(embed, model, params=params.extract, device=device, workers=0)
        query = _query(queries, asked, trained.image_size)
        vectors = embedded(query, label="query")
        _refuse(query)
        source = Source(tree, images, names, trained.image_size, partial(embedded, label="gallery"))
        approximate = approximate and len(names) >= lists.MIN_IMAGES
        if index:
            nothing = index_file.empty(model.width, _made(model_file, trained, params.extract))
            grouped = partial(lists.grouped, metric=metric) if approximate else _as_it_is
            searched = indexed(source, index, nothing, grouped)
        else:
            searched = plain(source)
        if strict:
            tree.left_out.refuse(gallery, fix="mend or remove these", what="the gallery")
        readable = len(names) - len(searched.unreadable)
        if not readable:
            raise UserError("no image can be read", where=gallery, found=tree.left_out)
        distance = distances(vectors, searched, metric, top if approximate else None)
        count = min(top, int(distance.isfinite().sum()))
        order = distance.sort(stable=True).indices[:count].tolist()
        return Found(
            queries=tuple(probe.content for probe in asked),
            matches=tuple(Match(names[i], float(distance[i]), tree.read(names[i])) for i in order),
            images=readable,
            others=len(tree.sizes) - len(images),
            skipped=tree.left_out,
            squeezed=len(query.squeezed) + searched.squeezed,
            metric=metric,
            approximate=approximate,
            told=searched.told,
        )


def _beside(path: Path) -> str:
    """The entry of the same folder that `path` may mean."""
    if not path.parent.is_dir():
        return f"{path.parent} is no folder"
    return nearest(path.name, sorted(entry.name for entry in path.parent.iterdir()))


def _scratch(gallery: Path) -> Path:
    """Where a tar.gz is decompressed to: beside it, for there is room for such things."""
    beside = gallery.parent
    return beside if os.access(beside, os.W_OK) else Path(tempfile.gettempdir())


def _others(images: Sequence[str], asked: Sequence[Probe], gallery: Path, tree: Tree) -> list[str]:
    """All `images` but the query's own."""
    own = {probe.own for probe in asked}
    names = [name for name in images if name not in own]
    if not names:
        expected = f"files that end in {', '.join(SUFFIXES)}"
        found = f"{len(tree.sizes)} files, none of them another image"
        raise UserError("nothing to search", where=gallery, expected=expected, found=found)
    return names


def _query(queries: Sequence[str], asked: Sequence[Probe], size: tuple[int, int]) -> Photographs:
    return Photographs(queries, lambda number: asked[number].content, size, Problems())


def _refuse(query: Photographs) -> None:
    """Raise UserError where one of its photographs could not be read."""
    first = Path(query.members[min(query.unreadable, default=0)])
    query.problems.refuse(first, fix="name another query", what="the query image")


def _made(model_file: Path, trained: Trained, params: ExtractParams) -> dict[str, object]:
    """What decides the embeddings, but for their last bits."""
    network, attention = type(trained.model).__module__, trained.model.about().get("attention")
    files = [f"{network.replace('.', '/')}.py"]
    files += [f"reidpipe/attention/{attention}.py"] if attention else []
    return {
        "model": digest(model_file),
        "code": Code(PACKAGE.parent).digest("reidpipe/extraction/embeddings.py", *files),
        "precision": params.precision,
        "flip": params.flip,
    }


def _as_it_is(index: Index) -> Index:
    return index

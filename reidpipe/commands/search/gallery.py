"""The embeddings of a gallery, each image's made once where an index keeps them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from reidpipe.commands.search.contents import Contents
from reidpipe.commands.search.photographs import Photographs
from reidpipe.datasets.sources.listing import Tree
from reidpipe.formats import index as index_file
from reidpipe.formats.index import Index, Lists


@dataclass(frozen=True)
class Source:
    """What is searched, and how it is embedded."""

    tree: Tree
    images: Sequence[str]
    """All of the tree."""
    names: Sequence[str]
    """Those that are searched: all but the query's own."""
    size: tuple[int, int]
    """Height, width in pixels of the network's input."""
    embed: Callable[[Photographs], Tensor]
    """N images -> float32 [N, D]."""

    def photographs(self, names: Sequence[str], read: Callable[[str], bytes]) -> Photographs:
        content = (names, lambda number: read(names[number]))
        return Photographs(*content, self.size, self.tree.left_out)


@dataclass(frozen=True)
class Gallery:
    """The N images that are searched."""

    names: Sequence[str]
    embedding: Tensor
    """N x D, float32; of a black image where one cannot be read."""
    unreadable: Sequence[int]
    squeezed: int
    """How many have quite another shape than the network's input."""
    told: str = ""
    """What became of the index."""
    lists: Lists | None = None
    """What cannot be read is in none: -1."""


def plain(source: Source) -> Gallery:
    """Every image embedded."""
    images = source.photographs(source.names, source.tree.read)
    embedding = source.embed(images)
    return Gallery(source.names, embedding, sorted(images.unreadable), len(images.squeezed))


def indexed(
    source: Source, path: Path, nothing: Index, grouped: Callable[[Index], Index]
) -> Gallery:
    """Images embedded that the index `path` does not have, which is then brought up to date.

    `nothing` is an index without images. `grouped` puts into lists what is in none, where they are
    asked for. An image that is the query's own stays in the index, but does not come into it.

    Raises:
        UserError: `path` is another file than an index.
    """
    old, why = _usable(path, nothing)
    contents = Contents(source.tree)
    rows = contents.known(old, source.images)
    known = len(rows)
    new = [name for name in source.names if name not in rows]
    images = source.photographs(new, contents.read)
    both = old.plus(_added(new, source.embed(images), images, contents, nothing)) if new else old
    rows |= {name: len(old) + number for number, name in enumerate(new)}
    unreadable = {new[number] for number in images.unreadable}
    stay = [name for name in source.images if name in rows and name not in unreadable]
    wanted = [rows[name] for name in stay]
    # Of the old one where that is enough: then nothing is copied, and nothing written.
    index = (both if len(new) > len(unreadable) else old).take(wanted, stay)
    stamps = torch.tensor([contents.settled(name) for name in stay], dtype=torch.int64)
    index = grouped(replace(index, stamp=stamps.reshape(len(stay), 3)))
    if not _equal(index, old):
        index_file.write(path, index)
    searched = both.take([rows[name] for name in source.names], source.names)
    gone = len(old) - len({row for row in wanted if row < len(old)})
    return Gallery(
        source.names,
        searched.embedding,
        [number for number, name in enumerate(source.names) if name in unreadable],
        int(searched.squeezed.sum()),
        f"{path}: {len(new) - len(unreadable)} embedded, {known} known, {gone} gone{why}",
        _lists_of(source.names, index),
    )


def _lists_of(names: Sequence[str], index: Index) -> Lists | None:
    """The lists of the images `names`, -1 where `index` does not have one."""
    if index.lists is None:
        return None
    of = dict(zip(index.names, index.lists.of.tolist(), strict=True))
    return replace(index.lists, of=torch.tensor([of.get(name, -1) for name in names]))


def _usable(path: Path, nothing: Index) -> tuple[Index, str]:
    """The index that is there, or an empty one and why."""
    if not path.exists():
        return nothing, ""
    old = index_file.read(path)
    other = [name for name, value in nothing.made.items() if old.made.get(name) != value]
    other += ["width"] * (old.embedding.shape[1] != nothing.embedding.shape[1])
    if not other:
        return old, ""
    return nothing, f"; it was made anew, for it was of another {' and '.join(other)}"


def _added(
    names: Sequence[str],
    embedding: Tensor,
    images: Photographs,
    contents: Contents,
    nothing: Index,
) -> Index:
    """The images just embedded; the digest of what cannot be read is of no matter."""
    digests = b"".join(contents.digests.get(name, bytes(32)) for name in names)
    squeezed = [number in images.squeezed for number in range(len(names))]
    return replace(
        nothing,
        names=names,
        embedding=embedding,
        content=torch.frombuffer(bytearray(digests), dtype=torch.uint8).reshape(len(names), -1),
        stamp=torch.zeros(len(names), 3, dtype=torch.int64),
        squeezed=torch.tensor(squeezed, dtype=torch.bool),
    )


def _equal(a: Index, b: Index) -> bool:
    """Whether `a`, which was taken from `b` or has more, says the same."""
    same = a.embedding is b.embedding and a.lists is b.lists
    return same and list(a.names) == list(b.names) and torch.equal(a.stamp, b.stamp)

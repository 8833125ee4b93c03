"""The photographs of the one person who is searched for: where they lie, and what is cut out."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from reidpipe.datasets.sources.listing import Tree, UnreadableFileError
from reidpipe.errors import UserError, nearest
from reidpipe.formats.pictures import BadImageError, decode

_BOX = re.compile(r"[0-9]{1,9}(,[0-9]{1,9}){3}")


class Probe(NamedTuple):
    """One photograph of the query."""

    content: bytes
    """A JPEG or PNG, cut to its box."""
    own: str | None
    """Its name in the gallery, if it lies there."""


class Box(NamedTuple):
    """Pixels of a photograph as it is seen, from its upper left corner."""

    x: int
    y: int
    width: int
    height: int


def probes(
    queries: Sequence[str], boxes: Sequence[str], gallery: Path, tree: Tree, images: Sequence[str]
) -> list[Probe]:
    """Each of `queries`: an image file, or else the name of an image in the gallery.

    `boxes` are none, one for all, or one for each, as `x,y,w,h`.

    Raises:
        UserError: a photograph is missing or cannot be read, or a box is wrong.
    """
    cut = _for_each(queries, [_box(text) for text in boxes])
    found = [_probe(query, gallery, tree, images) for query in queries]
    return [
        Probe(_cut(content, box, query) if box else content, own)
        for query, box, (content, own) in zip(queries, cut, found, strict=True)
    ]


def _probe(query: str, gallery: Path, tree: Tree, images: Sequence[str]) -> Probe:
    path = Path(query)
    if path.is_file():
        inside = gallery.is_dir() and path.resolve().is_relative_to(gallery.resolve())
        name = path.resolve().relative_to(gallery.resolve()).as_posix() if inside else None
        return Probe(path.read_bytes(), name)
    # Names from macOS have their accents apart.
    by_name = {unicodedata.normalize("NFC", name): name for name in images}
    if name := by_name.get(unicodedata.normalize("NFC", query)):
        try:
            return Probe(tree.read(name), name)
        except UnreadableFileError as error:
            raise UserError("the query image cannot be read", where=name, found=error) from None
    raise UserError(
        "the query image is missing",
        where=query,
        expected="an image file, or the name of an image in the gallery",
        fix=nearest(query, images),
    )


def _box(text: str) -> Box:
    if _BOX.fullmatch(text):
        box = Box(*(int(part) for part in text.split(",")))
        if box.width and box.height:
            return box
    raise UserError(
        "a box is none",
        where="--box",
        expected="x,y,w,h: whole pixels from the upper left corner, width and height above 0",
        found=text,
        fix="--box 40,12,64,128",
    )


def _for_each(queries: Sequence[str], boxes: Sequence[Box]) -> Iterator[Box | None]:
    if not boxes:
        return iter([None] * len(queries))
    if len(boxes) not in {1, len(queries)}:
        raise UserError(
            "boxes and photographs do not go together",
            where="--box",
            expected="one box for all, or one for each photograph, in their order",
            found=f"{len(boxes)} boxes for {len(queries)} photographs",
        )
    return iter(boxes if len(boxes) > 1 else list(boxes) * len(queries))


def _cut(content: bytes, box: Box, query: str) -> bytes:
    """The box of a photograph as a PNG."""
    try:
        image = decode(content)
    except BadImageError:
        return content  # the network's reader says what is wrong with it, as it does without a box
    right, lower = box.x + box.width, box.y + box.height
    if right > image.width or lower > image.height:
        raise UserError(
            "a box leaves its photograph",
            where=query,
            expected=f"x + w up to {image.width}, y + h up to {image.height}",
            found=f"--box {','.join(map(str, box))}, which reaches {right} and {lower}",
            fix="count the pixels of the photograph as it is seen: upright, not scaled",
        )
    buffer = BytesIO()
    image.crop((box.x, box.y, right, lower)).save(buffer, "PNG")
    return buffer.getvalue()

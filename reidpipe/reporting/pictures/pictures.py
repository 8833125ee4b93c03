"""Photographs of a data set, small enough for a page."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from PIL import Image

from reidpipe.formats import manifest, zips
from reidpipe.formats.pictures import decode

HEIGHT, QUALITY = 128, 82


@dataclass(frozen=True)
class Shot:
    """One row of the manifest."""

    member: str
    pid: int
    camid: int


@dataclass(frozen=True)
class DataSet:
    """The zip and the manifest of one data set."""

    name: str
    zipped: Path
    manifest: Path

    @cached_property
    def subsets(self) -> dict[str, list[Shot]]:
        """Shots of train, query and gallery, in manifest order."""
        table = manifest.read(self.manifest).groupby("subset")[["member", "pid", "camid"]]
        return {str(name): [Shot(*row) for row in rows.to_numpy().tolist()] for name, rows in table}

    def picture(self, shot: Shot) -> Image.Image:
        """RGB, at most 128 pixels high."""
        image = decode(zips.read(self.zipped, shot.member))
        if image.height <= HEIGHT:
            return image
        width = max(1, round(image.width * HEIGHT / image.height))
        return image.resize((width, HEIGHT), Image.Resampling.BICUBIC)


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def data_uri(image: Image.Image) -> str:
    """The image as text that a page can carry: JPEG, or WebP where parts are transparent."""
    kind = "webp" if image.mode == "RGBA" else "jpeg"
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=QUALITY)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def sheet(rows: Sequence[Sequence[Image.Image | None]], cell: tuple[int, int]) -> Image.Image:
    """RGBA: images of one size in a grid, `cell` = (width, height).

    None leaves a place transparent: right on a light page and on a dark one.
    """
    width, height = cell
    gap = 3
    columns = max(len(row) for row in rows)
    size = columns * (width + gap) + gap, len(rows) * (height + gap) + gap
    grid = Image.new("RGBA", size)
    for y, row in enumerate(rows):
        for x, image in enumerate(row):
            if image:
                place = gap + x * (width + gap), gap + y * (height + gap)
                grid.paste(image.resize(cell, Image.Resampling.BICUBIC), place)
    return grid

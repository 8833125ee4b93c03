"""Data sets with one image that must not go in."""

import struct
import zlib
from pathlib import Path

from PIL import Image

from tests.datasets.archives import Files, jpeg, market, picture, saved, to_zip
from tests.faults.broken_sets import Case, zipped

NAME = "query/0003_c1s1_000001_00.jpg"


def _png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and has no pixels."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT\x35\xaf\x06\x1e"


def _rotated() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(picture(), exif=exif)


def _with(content: bytes) -> Files:
    return market() | {NAME: content}


def _long(folder: Path) -> Path:
    return to_zip(folder / "set.zip", _with(jpeg() + bytes(17 << 20)))


def _flat_16_megapixels() -> bytes:
    return saved(Image.new("RGB", (4096, 4097)))


IMAGES = {
    "an empty image": Case(zipped(_with(b"")), "empty images (1):"),
    "a truncated JPEG": Case(zipped(_with(jpeg()[:-200])), "unreadable or truncated images (1):"),
    "a header alone": Case(zipped(_with(jpeg()[:20])), "unreadable or truncated images (1):"),
    "text named .jpg": Case(zipped(_with(b"<html>not found</html>")), "neither JPEG nor PNG"),
    "a GIF named .jpg": Case(zipped(_with(saved(picture(), "GIF"))), "neither JPEG nor PNG"),
    "a PNG of 40,000 x 40,000": Case(zipped(_with(_png_header(40_000, 40_000))), "enormous images"),
    "a PNG of 10,000 x 10,000": Case(zipped(_with(_png_header(10_000, 10_000))), "enormous images"),
    "a JPEG of 17 megapixels": Case(zipped(_with(_flat_16_megapixels())), "enormous images (1):"),
    "a PNG of 16 bits": Case(
        zipped(_with(saved(Image.new("I;16", (8, 8)), "PNG"))), "does not convert to RGB"
    ),
    "an image that EXIF rotates": Case(zipped(_with(_rotated())), "images that EXIF rotates"),
    "a file of 17 MB": Case(_long, "files that cannot be read"),
}

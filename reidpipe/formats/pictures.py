"""The one door for photographs: decoded as eyes see them, or inspected for a data set."""

import struct
import zlib
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps

FORMATS = ("JPEG", "PNG")
MAX_PIXELS = 1 << 24
"""Pillow's own bound (89 million) is made for posters; this one keeps a decoding below 70 MB."""

_CONVERTED = {"1", "L", "LA", "P", "RGBA", "CMYK"}
_DEEP = {"I;16", "I;16B", "I"}
"""What Pillow makes of grey PNGs of 16 bits; in colour they have 8 already."""
_ORIENTATION = 0x0112
_PILLOW = (  # what Pillow raises on broken files
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    KeyError,
    IndexError,
    TypeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


class BadImageError(Exception):
    """`kind` is what images like this one have in common, the message the case."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        super().__init__(message)


def decode(content: bytes) -> Image.Image:
    """Decode a JPEG or PNG to RGB, H x W x 3 of uint8 (`np.asarray` gives the array).

    It stands upright as its EXIF says, 16 bits are brought to 8, and what is transparent shows
    white, as in a browser.

    Raises:
        BadImageError: it is none, or is cut short or enormous, or its EXIF is broken.
    """
    image = _loaded(content)
    _orientation(image)
    ImageOps.exif_transpose(image, in_place=True)
    return _rgb(image)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode in _DEEP:
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB")
    return image.convert("RGB")


def inspect(content: bytes) -> str:
    """Decode an image and throw the pixels away; its mode, "RGB" unless `decode` converts it.

    A data set is stricter than the eye: other readers may not turn or scale as `decode` does.

    Raises:
        BadImageError: it is empty, unreadable, cut short, enormous or rotated by EXIF.
    """
    image = _loaded(content)
    if image.mode != "RGB" and image.mode not in _CONVERTED:
        raise BadImageError("images of a kind that does not convert to RGB", f"mode {image.mode}")
    orientation = _orientation(image)
    if orientation != 1:
        text = f"orientation {orientation}"
        raise BadImageError("images that EXIF rotates (readers differ: save them upright)", text)
    return image.mode


def _orientation(image: Image.Image) -> int:
    """1 where the pixels stand upright."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except _PILLOW as error:
        raise BadImageError("images with broken EXIF", str(error)) from error


def _loaded(content: bytes) -> Image.Image:
    if not content:
        raise BadImageError("empty images", "0 bytes")
    try:
        image = Image.open(BytesIO(content), formats=FORMATS)
        if image.width * image.height <= MAX_PIXELS:
            image.load()
            return image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImageError("enormous images", str(error)) from error
    except _PILLOW as error:
        raise BadImageError("unreadable or truncated images", _reason(error)) from error
    raise BadImageError("enormous images", f"{image.width} x {image.height} pixels")


def _reason(error: BaseException) -> str:
    """Pillow's words, without the address of the buffer that it could not identify."""
    text = str(error)
    return "neither JPEG nor PNG" if text.startswith("cannot identify") else text

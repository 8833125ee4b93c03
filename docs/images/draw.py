"""The README's pictures, made small from reports/figures: `make images` after `make tables`.

Photographs of real people are never put in git: only the embedded profile's can be drawn.
"""

import io
from pathlib import Path

from PIL import Image

from reidpipe.errors import UserError, reported
from reidpipe.files import write_bytes
from reidpipe.formats import params

FIGURES, IMAGES = Path("reports/figures"), Path("docs/images")
PHOTOGRAPHS = {"ranks-market1501-ours": "ranks", "attention": "attention"}
CURVES = ("cmc", "cost")
QUALITY = 80


def small(picture: Image.Image) -> bytes:
    """JPEG on white, for pages that may be dark."""
    picture = picture.convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    buffer = io.BytesIO()
    Image.alpha_composite(white, picture).convert("RGB").save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def main() -> None:
    profile = params.load().profile
    if profile != "embedded":
        raise UserError(
            "these pictures would go into git and may show real people",
            where="params.yaml: profile",
            expected="embedded",
            found=profile,
            fix="git restore params.yaml dvc.lock && dvc checkout",
        )
    wanted = [f"{name}.png" for name in PHOTOGRAPHS] + [f"{name}.svg" for name in CURVES]
    missing = [name for name in wanted if not (FIGURES / name).is_file()]
    if missing:
        raise UserError(
            "a figure is missing", where=FIGURES, expected=", ".join(missing), fix="make tables"
        )
    for name, short in PHOTOGRAPHS.items():
        with Image.open(FIGURES / f"{name}.png") as picture:
            write_bytes(IMAGES / f"{short}.jpg", small(picture))
    for name in CURVES:
        write_bytes(IMAGES / f"{name}.svg", (FIGURES / f"{name}.svg").read_bytes())


if __name__ == "__main__":
    with reported():
        main()

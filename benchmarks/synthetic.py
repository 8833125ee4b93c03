"""Speed of the generator of synthetic people, and contact sheets of what it makes.

    python benchmarks/synthetic.py --data market1501 --sheet sheet.png

Prints one JSON line: images, seconds, images_per_s. The sheet has a row per test identity and a
column per camera: the query, or a grey field where the camera never saw the person.
"""

import argparse
import io
import json
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from reidpipe.formats.params import load
from reidpipe.formats.settings.data import SyntheticSource
from reidpipe.synthetic.generation import generate
from reidpipe.synthetic.layouts import member
from reidpipe.synthetic.plan import Shot, planned

CELL = (96, 192)
ROWS = 8
GREY = 128


def main() -> None:
    """Generate one of the embedded profile's data sets into a temporary folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="market1501", help="a key of embedded.data")
    parser.add_argument("--sheet", type=Path, help="write a contact sheet to this PNG")
    parser.add_argument("--subset", default="query", help="of the sheet: train, query, gallery")
    options = parser.parse_args()
    source = load(profile="embedded").source(options.data)
    if not isinstance(source, SyntheticSource):
        parser.error(f"{options.data} is not synthetic")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.zip"
        start = time.perf_counter()
        generate(path, source)
        seconds = time.perf_counter() - start
        if options.sheet:
            sheet(path, source, options.subset).save(options.sheet)
    images = len(planned(source))
    figures = {"images": images, "seconds": round(seconds, 2), "data": options.data}
    print(json.dumps(figures | {"images_per_s": round(images / seconds, 1)}))


def sheet(path: Path, source: SyntheticSource, subset: str) -> Image.Image:
    """Rows are identities, columns cameras: the first image of each visit."""
    shots = [
        shot
        for shot in planned(source)
        if shot.subset == subset and not shot.person.startswith("stranger") and shot.pid >= 0
    ]
    people = sorted({shot.pid for shot in shots})[:ROWS]
    width, height = CELL
    page = np.full((ROWS * height, source.cameras * width, 3), GREY, dtype=np.uint8)
    with zipfile.ZipFile(path) as archive:
        for shot in reversed([shot for shot in shots if shot.pid in people]):
            top, left = people.index(shot.pid) * height, (shot.camid - 1) * width
            page[top : top + height, left : left + width] = _cell(archive, source, shot)
    return Image.fromarray(page)


def _cell(archive: zipfile.ZipFile, source: SyntheticSource, shot: Shot) -> np.ndarray:
    with Image.open(io.BytesIO(archive.read(member(source, shot)))) as image:
        return np.asarray(image.convert("RGB").resize(CELL, Image.Resampling.BICUBIC))


if __name__ == "__main__":
    main()

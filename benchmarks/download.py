"""Speed and memory of packing: 30,000 images of 128 x 64 in Market-1501's layout.

    python benchmarks/download.py --kind zip

Prints one JSON line: kind, images, seconds, peak_mb (of the packing process, imports included).
"""

import argparse
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from reidpipe.datasets import packing

DISTINCT = 200
CAMERAS = 6
SUFFIXES = {"zip": ".zip", "tar": ".tar", "tar.gz": ".tar.gz", "folder": ""}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=30_000)
    parser.add_argument("--kind", choices=SUFFIXES, default="zip")
    parser.add_argument("--source", type=Path, help="pack this one, and say nothing of images")
    options = parser.parse_args()
    if options.source:
        print(json.dumps(measured(options.source)))
        return
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, f"set{SUFFIXES[options.kind]}")
        write(source, options.kind, options.images)
        # A process of its own, whose peak is that of packing alone.
        command = [sys.executable, __file__, "--source", str(source)]
        figures = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    print(json.dumps({"kind": options.kind, "images": options.images, **figures}))


def measured(source: Path) -> dict[str, float]:
    """Seconds and megabytes that packing `source` takes."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        packing.pack(source, Path(folder, "out.zip"), "market1501")
    seconds = time.perf_counter() - start
    # getrusage would count the peak of the parent too.
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
    return {"seconds": round(seconds, 2), "peak_mb": round(peak, 1)}


def write(path: Path, kind: str, images: int) -> None:
    """A data set of `images` names and fewer distinct pictures: each is decoded all the same."""
    pictures = [picture(seed) for seed in range(DISTINCT)]
    members = ((name, pictures[i % DISTINCT]) for i, name in enumerate(names(images)))
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as zipped:
            for name, content in members:
                zipped.writestr(name, content)
    elif kind == "folder":
        for name, content in members:
            file = path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    else:
        with tarfile.open(path, "w:gz" if kind == "tar.gz" else "w") as tarred:
            for name, content in members:
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                tarred.addfile(entry, io.BytesIO(content))


def names(images: int) -> Iterator[str]:
    """Half train, a tenth query, the rest gallery; 24 images per identity."""
    for i in range(images):
        test, query = i * 2 >= images, i * 10 >= images * 9
        folder = "query" if query else "bounding_box_test" if test else "bounding_box_train"
        pid = i % 600 + (601 if test else 1)
        yield f"{folder}/{pid:04d}_c{i // 600 % CAMERAS + 1}s1_{i:06d}_00.jpg"


def picture(seed: int) -> bytes:
    """A JPEG of 64 x 128 pixels, smooth and grained like a photograph, of about 4 kB."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (16, 8, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((64, 128), Image.Resampling.BICUBIC), dtype=np.float64)
    grained = np.clip(smooth + rng.normal(0, 8, smooth.shape), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grained).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


if __name__ == "__main__":
    main()

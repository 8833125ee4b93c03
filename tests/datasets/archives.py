"""Small data sets in the three layouts, and ways to put files into a zip, a tar or a folder."""

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

Files = dict[str, bytes]


def picture(seed: int = 0, size: tuple[int, int] = (16, 32), mode: str = "RGB") -> Image.Image:
    """Noise of `size` = (width, height) pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*reversed(size), 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def jpeg(seed: int = 0, mode: str = "RGB") -> bytes:
    """A small JPEG; another one for each seed."""
    return saved(picture(seed, mode=mode))


def saved(image: Image.Image, kind: str = "JPEG", exif: Image.Exif | None = None) -> bytes:
    """The bytes of an image file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, exif=exif or Image.Exif())
    return buffer.getvalue()


def market(train: tuple[int, ...] = (2, 7), test: tuple[int, ...] = (3, 5)) -> Files:
    """Market-1501's layout: two cameras, a query and a match an identity, junk, a distractor."""
    names = [f"bounding_box_train/{pid:04d}_c{c}s1_000001_00.jpg" for pid in train for c in (1, 2)]
    names += [f"query/{pid:04d}_c1s1_000001_00.jpg" for pid in test]
    names += [f"bounding_box_test/{pid:04d}_c{c}s1_000002_01.jpg" for pid in test for c in (1, 2)]
    names += [f"bounding_box_test/{pid}_c1s1_000003_01.jpg" for pid in ("-1", "0000")]
    return {name: jpeg(seed) for seed, name in enumerate(names)}


def duke() -> Files:
    """DukeMTMC-reID's layout: as Market-1501's, with a distractor of its own identity."""
    names = [f"bounding_box_train/{pid:04d}_c{c}_f0001.jpg" for pid in (1, 2) for c in (1, 8)]
    names += ["query/0003_c1_f0002.jpg", "bounding_box_test/0003_c8_f0003.jpg"]
    names += ["bounding_box_test/0009_c8_f0003.jpg"]
    return {name: jpeg(seed) for seed, name in enumerate(names)}


def msmt(train: str = "train", test: str = "test") -> Files:
    """MSMT17's layout; identities of train and test both count from 0."""
    rows = {
        "train": [
            f"{pid:04d}/{pid:04d}_00{c}_0{c}_0303morning_0001_0.jpg"
            for pid in (0, 1)
            for c in (1, 2)
        ],
        "val": ["0000/0000_009_15_0303morning_0009_0.jpg"],
        "query": [f"{pid:04d}/{pid:04d}_000_01_0303noon_0001_0.jpg" for pid in (0, 1)],
        "gallery": [f"{pid:04d}/{pid:04d}_001_02_0303noon_0001_0.jpg" for pid in (0, 1)],
    }
    files: Files = {}
    for name, paths in rows.items():
        files[f"list_{name}.txt"] = "".join(f"{p} {int(p[:4])}\n" for p in paths).encode()
        folder = train if name in {"train", "val"} else test
        files |= {f"{folder}/{path}": jpeg(len(files) + i) for i, path in enumerate(paths)}
    return files


def to_zip(path: Path, files: Files, wrapper: str = "") -> Path:
    """Write a deflated zip, members in the order given."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(wrapper + name, content)
    return path


def to_tar(path: Path, files: Files, wrapper: str = "") -> Path:
    """Write a tar, compressed where the name ends in gz."""
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(wrapper + name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def to_folder(path: Path, files: Files, wrapper: str = "") -> Path:
    """Write the files into a folder."""
    for name, content in files.items():
        file = path / wrapper / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return path

"""File names of the three benchmarks, and MSMT17's list files."""

from collections.abc import Callable

from reidpipe.formats.settings.data import SyntheticSource
from reidpipe.synthetic.plan import Shot

TIMES = ("morning", "noon", "afternoon")

_FOLDERS = {
    "train": "bounding_box_train",
    "query": "query",
    "gallery": "bounding_box_test",
}
_FRAMES_APART = 25


def member(source: SyntheticSource, shot: Shot) -> str:
    """Name of the image of `shot` in the archive."""
    return _NAMES[source.layout](shot)


def lists(source: SyntheticSource, shots: list[Shot]) -> dict[str, str]:
    """MSMT17's lists, `path pid` per line, by member name; the other layouts have none."""
    if source.layout != "msmt17":
        return {}
    texts: dict[str, list[str]] = {name: [] for name in ("train", "val", "query", "gallery")}
    for shot in shots:
        path = member(source, shot).split("/", 2)[2]
        texts[shot.subset].append(f"{path} {shot.pid}\n")
    return {f"MSMT17_V1/list_{name}.txt": "".join(texts[name]) for name in texts}


def _market1501(shot: Shot) -> str:
    pid = "-1" if shot.pid < 0 else f"{shot.pid:04d}"
    sequence, frame = shot.number % 3 + 1, _FRAMES_APART * (shot.number + 1)
    name = f"{pid}_c{shot.camid}s{sequence}_{frame:06d}_{shot.turn % 100:02d}.jpg"
    return f"Market-1501-v15.09.15/{_FOLDERS[shot.subset]}/{name}"


def _dukemtmc(shot: Shot) -> str:
    frame = 40_000 + _FRAMES_APART * shot.number
    return f"DukeMTMC-reID/{_FOLDERS[shot.subset]}/{shot.pid:04d}_c{shot.camid}_f{frame:07d}.jpg"


def _msmt17(shot: Shot) -> str:
    part = "train" if shot.subset in {"train", "val"} else "test"
    day, time = f"03{shot.number % 4 + 1:02d}", TIMES[shot.number % len(TIMES)]
    name = f"{shot.pid:04d}_{shot.number:03d}_{shot.camid:02d}_{day}{time}_{shot.turn:04d}_0.jpg"
    return f"MSMT17_V1/{part}/{shot.pid:04d}/{name}"


_NAMES: dict[str, Callable[[Shot], str]] = {
    "market1501": _market1501,
    "dukemtmc": _dukemtmc,
    "msmt17": _msmt17,
}

"""Data sets that are not what their layout says: each a builder and a phrase of its message."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.datasets.archives import Files, jpeg, market, msmt, to_folder, to_zip


class Case(NamedTuple):
    """`build` makes the source in an empty folder and returns it."""

    build: Callable[[Path], Path]
    message: str
    layout: str = "market1501"


def zipped(files: Files) -> Callable[[Path], Path]:
    """Build a plain zip of `files`."""
    return lambda folder: to_zip(folder / "set.zip", files)


def renamed(files: Files, **folders: str) -> Files:
    """The files with their top folders renamed."""
    return {
        "/".join([folders.get(top := n.split("/")[0], top), *n.split("/")[1:]]): content
        for n, content in files.items()
    }


def _without(files: Files, start: str) -> Files:
    return {name: content for name, content in files.items() if not name.startswith(start)}


def _too_high(folder: Path) -> Path:
    return to_folder(folder / "set", market(), wrapper="reid/Market-1501-v15.09.15")


def _too_low(folder: Path) -> Path:
    return to_folder(folder, market()) / "bounding_box_train"


def _two_sets(folder: Path) -> Path:
    return to_zip(
        folder / "set.zip", {f"{top}/{n}": c for top in "ab" for n, c in market().items()}
    )


def _empty_folder(folder: Path) -> Path:
    (folder / "set").mkdir()
    return folder / "set"


_SWAPPED = renamed(
    market(), bounding_box_train="bounding_box_test", bounding_box_test="bounding_box_train"
)
_QUIETLY_SWAPPED = {n: c for n, c in _SWAPPED.items() if "/0000" not in n and "/-1" not in n}
_ONE_WITHOUT_CAMERA = {
    name.replace("0003_c1s1_", "0003_"): content for name, content in market().items()
}
_MATCHLESS = {
    name.replace("bounding_box_test/000", "bounding_box_test/001"): content
    for name, content in market().items()
}

SETS = {
    "one level too high": Case(_too_high, "it stands in reid/Market-1501-v15.09.15/"),
    "one level too low": Case(_too_low, "bounding_box_train is one of them: name the folder"),
    "two data sets": Case(_two_sets, "it stands in a/, b/"),
    "other case": Case(
        zipped(renamed(market(), bounding_box_train="Bounding_Box_Train")),
        "did you mean 'Bounding_Box_Train'? rename it",
    ),
    "a folder misspelt": Case(zipped(renamed(market(), query="querry")), "did you mean 'querry'?"),
    "no query folder": Case(zipped(_without(market(), "query")), "not the layout market1501"),
    "an empty zip": Case(zipped({}), "nothing"),
    "an empty folder": Case(_empty_folder, "nothing"),
    "another benchmark": Case(zipped(msmt()), "not the layout market1501"),
    "names that do not parse": Case(
        zipped(market() | {"query/portrait.jpg": jpeg()}), "names that are not PID_cCAMERA"
    ),
    "an identity in train and test": Case(
        zipped(market(train=(2, 3), test=(3, 5))), "identities that are in both train and test (1):"
    ),
    "train and gallery swapped": Case(zipped(_SWAPPED), "which only bounding_box_test may hold"),
    "swapped without distractors": Case(zipped(_QUIETLY_SWAPPED), "look swapped"),
    "a camera is missing in one name": Case(zipped(_ONE_WITHOUT_CAMERA), "not PID_cCAMERA"),
    "queries without a match": Case(zipped(_MATCHLESS), "no query has its identity"),
    "-1 in DukeMTMC": Case(zipped(market()), "images of -1, which DukeMTMC", "dukemtmc"),
    "a list is missing": Case(zipped(_without(msmt(), "list_val")), "not the layout", "msmt17"),
    "a listed image is missing": Case(
        zipped(_without(msmt(), "test/0001/0001_001")), "listed images that are missing", "msmt17"
    ),
    "a line that does not parse": Case(
        zipped(msmt() | {"list_query.txt": b"0000/0000_000_01_x.jpg\n"}), "not PATH PID", "msmt17"
    ),
    "a list in another encoding": Case(
        zipped(msmt() | {"list_query.txt": b"\xff\xfe0\x00"}), "list files that cannot", "msmt17"
    ),
    "a list that leads out": Case(
        zipped(msmt() | {"list_query.txt": b"../../0000_000_01_x.jpg 0\n"}), "missing", "msmt17"
    ),
    "an image in two lists": Case(
        zipped(msmt() | {"list_gallery.txt": msmt()["list_query.txt"]}), "name twice", "msmt17"
    ),
}

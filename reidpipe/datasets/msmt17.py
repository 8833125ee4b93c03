"""MSMT17 (Wei et al., CVPR 2018), V1 and V2: list files of `path pid` beside two folders.

The camera is the third part of a file name, `0000_000_01_0303morning_0008_0.jpg`. Identities of
train and test both count from 0, and are different people.
"""

import re

from reidpipe.datasets.reading import Reading, Record
from reidpipe.datasets.sources.listing import Tree, UnreadableFileError
from reidpipe.errors import Problems
from reidpipe.formats.manifest import Subset

LISTS: dict[str, Subset] = {
    "train": "train",
    "val": "train",
    "query": "query",
    "gallery": "gallery",
}
_LIST_FILES = tuple(f"list_{name}.txt" for name in LISTS)
VARIANTS = (
    ("train/", "test/", *_LIST_FILES),
    ("mask_train_v2/", "mask_test_v2/", *_LIST_FILES),
)

_LINE = re.compile(r"(?P<path>\S+) +(?P<pid>\d{1,9})", re.ASCII)
_NAME = re.compile(
    r"(?:[^/]+/)*\d+_\d+_(\d{1,4})(?:_[^/]*)?\.(?:jpe?g|png)", re.IGNORECASE | re.ASCII
)


def read(tree: Tree, problems: Problems) -> Reading:
    """Records of the four lists; what is wrong with the lists goes to `problems`."""
    v2 = any(name.startswith("mask_train_v2/") for name in tree.sizes)
    train, test = VARIANTS[v2][:2]
    rows = {
        name: _rows(tree, name, train if subset == "train" else test, problems)
        for name, subset in LISTS.items()
    }
    val = tuple(rows.pop("val"))
    records = tuple(row for part in rows.values() for row in part)
    _refuse_twice(records + val, problems)
    return Reading(records=records, val=val, lists=_LIST_FILES, shared_ids=False)


def _rows(tree: Tree, name: str, folder: str, problems: Problems) -> list[Record]:
    rows = []
    for number, line in enumerate(_lines(tree, f"list_{name}.txt", problems), start=1):
        where = f"list_{name}.txt line {number}: {line[:120]!a}"
        match = _LINE.fullmatch(line)
        camera = match and _NAME.fullmatch(match["path"])
        if not match or not camera:
            problems.add(
                "lines that are not PATH PID, PATH ending in ID_NUMBER_CAMERA_....jpg", where
            )
        elif folder + match["path"] not in tree.sizes:
            problems.add("listed images that are missing", where)
        else:
            member = folder + match["path"]
            rows.append(Record(member, int(match["pid"]), int(camera[1]), LISTS[name]))
    return rows


def _lines(tree: Tree, name: str, problems: Problems) -> list[str]:
    try:
        return [
            line.strip() for line in tree.read(name).decode("utf-8").splitlines() if line.strip()
        ]
    except (UnreadableFileError, UnicodeDecodeError) as error:
        problems.add("list files that cannot be read", f"{name}: {error}")
        return []


def _refuse_twice(rows: tuple[Record, ...], problems: Problems) -> None:
    seen: set[str] = set()
    for row in rows:
        if row.member in seen:
            problems.add("images that the lists name twice", row.member)
        seen.add(row.member)

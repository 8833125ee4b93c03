"""Features from elsewhere, in the order of a split: by the names of images, or by labels.

A name is an image's when one of the two is the end of the other, folder by folder: the member of
the archive, its last folders, its file name, each with or without its ending, or a longer path.
What is not exactly the query and gallery images of the split is listed and refused.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from reidpipe.errors import Problems
from reidpipe.formats.features import Features
from reidpipe.formats.foreign.layouts import Given, Labels

Rows = NDArray[np.int64]
FIX = "give each query and gallery image once: docs/foreign.md says what is matched how"


class Matched(NamedTuple):
    """What can be evaluated."""

    features: Features
    aside: int
    """Rows of training images, which nobody searches."""


def by_name(given: Given, split: pd.DataFrame) -> Matched:
    """The rows that are named as the query and gallery images of `split`, in its order.

    Raises:
        UserError: names are missing, doubled, unknown or of several images, or rows have no
            direction or are not finite.
    """
    problems, images = Problems(), _Images(split["member"].tolist())
    row_of: dict[int, int] = {}
    unsure: set[int] = set()
    for row, name in enumerate(given.names):
        found = images.called(name)
        if not found:
            problems.add("names of no image of the split", name)
        elif len(found) > 1:
            problems.add("names of several images", f"{name}: {images.members[found[0]]}, ...")
            unsure.update(found)
        elif row_of.setdefault(found[0], row) != row:
            problems.add("images that are named twice", f"{name}: rows {row_of[found[0]]}, {row}")
    tested = split[split["subset"] != "train"]
    for place, member in tested["member"].items():
        if place not in row_of and place not in unsure:
            problems.add("images without features", str(member))
    _refuse(problems, given)
    rows = np.array([row_of[place] for place in tested.index], np.int64)
    labels = Labels(*(tested[name].to_numpy() for name in ("pid", "camid", "subset")))
    return Matched(_features(given, rows, labels), len(given.names) - len(rows))


def by_labels(given: Given, labels: Labels, split: pd.DataFrame | None = None) -> Matched:
    """The rows that are queries, then those of the gallery, each in the order of the file.

    Whom they show cannot be told from labels alone: of a `split` they must be row by row.

    Raises:
        UserError: a subset is empty, a person has a negative number, labels are not the split's,
            or rows have no direction or are not finite.
    """
    rows = np.concatenate([np.flatnonzero(labels.subset == name) for name in ("query", "gallery")])
    own = Labels(labels.pid[rows], labels.camid[rows], labels.subset[rows])
    problems = Problems()
    for kind in ("query", "gallery"):
        if kind not in own.subset:
            problems.add(f"no rows of the subset {kind}")
    for row in rows[own.pid < 0].tolist():
        problems.add("negative pids, which mark junk: leave these rows out", given.called(row))
    if split is not None:
        _check_labels(own, split[split["subset"] != "train"], problems)
    _refuse(problems, given)
    return Matched(_features(given, rows, own), len(given.embedding) - len(rows))


def digest(features: Features) -> str:
    """MD5 of who is looked for among whom, in which order."""
    labels = np.stack([features.pid.numpy(), features.camid.numpy()]).astype("<i8")
    content = f"{features.queries} queries\n".encode() + labels.tobytes()
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


class _Images:
    """The members of a split, by every end of their paths."""

    def __init__(self, members: Sequence[str]) -> None:
        self.members = members
        self._whole: dict[str, list[int]] = {}
        self._ends: dict[str, list[int]] = {}
        for place, member in enumerate(members):
            for path in dict.fromkeys((member, member.rsplit(".", 1)[0])):
                self._whole.setdefault(path, []).append(place)
                for end in _ends(path):
                    self._ends.setdefault(end, []).append(place)

    def called(self, name: str) -> list[int]:
        """Places of the members that `name` may mean."""
        path = name.replace("\\", "/").removeprefix("./")
        longer = (self._whole[end] for end in _ends(path) if end in self._whole)
        return self._ends.get(path) or next(longer, [])


def _ends(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[first:]) for first in range(len(parts)))


def _check_labels(own: Labels, tested: pd.DataFrame, problems: Problems) -> None:
    columns = ["subset", "pid", "camid"]
    expected = list(tested[columns].itertuples(index=False, name=None))
    found = list(zip(own.subset.tolist(), own.pid.tolist(), own.camid.tolist(), strict=True))
    if len(found) != len(expected):
        problems.add(f"{len(found)} query and gallery rows where the split has {len(expected)}")
        return
    for number, (one, other) in enumerate(zip(found, expected, strict=True)):
        if one != other:
            problems.add("labels that are not the split's", f"image {number}: {one}, not {other}")


def _features(given: Given, rows: Rows, labels: Labels) -> Features:
    """In float32, in which distances are computed; whatever is wrong with numbers is listed."""
    embedding = given.embedding[torch.from_numpy(rows)].float()
    wrong = {
        "rows with NaN, infinity or numbers beyond float32": ~embedding.isfinite().all(dim=1),
        "rows of zeros, which are no features": (embedding == 0).all(dim=1),
    }
    problems = Problems()
    for kind, those in wrong.items():
        for row in rows[those.numpy()].tolist():
            problems.add(kind, given.called(row))
    _refuse(problems, given)
    pid, camid = torch.tensor(labels.pid), torch.tensor(labels.camid)
    return Features(embedding, pid, camid, int((labels.subset == "query").sum()))


def _refuse(problems: Problems, given: Given) -> None:
    problems.refuse(given.files[0], fix=FIX, what="the features file")

"""What `reidpipe search --index` keeps of a gallery, so that each image is embedded once."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reidpipe.errors import UserError
from reidpipe.formats import weights
from reidpipe.runtime.settings import Metric

KIND = "index of a gallery, 1"
DIGEST_BYTES = 32
"""Of SHA-256."""


@dataclass(frozen=True)
class Lists:
    """The images in L groups of like ones, for an approximate search."""

    centre: Tensor
    """L x D, float32: of the embeddings as `metric` compares them."""
    of: Tensor
    """N, int64: the list of each image; -1 where it is in none yet."""
    metric: Metric


@dataclass(frozen=True)
class Index:
    """N images of a gallery."""

    names: Sequence[str]
    embedding: Tensor
    """N x D, float32, not normalised."""
    content: Tensor
    """N x 32, uint8: SHA-256 of the file."""
    stamp: Tensor
    """N x 3, int64: the file's bytes, and when it and its entry were changed, in ns; or zeros."""
    squeezed: Tensor
    """N, bool: whether it has quite another shape than the network's input."""
    made: Mapping[str, Any]
    """What decides the embeddings: an index that was made with other values is of no use."""
    lists: Lists | None = None

    def __len__(self) -> int:
        return len(self.names)

    def plus(self, other: "Index") -> "Index":
        """These images, then those of `other`, which are in no list."""
        if not len(other):
            return self
        of = torch.full((len(other),), -1)
        return replace(
            self,
            names=[*self.names, *other.names],
            embedding=torch.cat([self.embedding, other.embedding]),
            content=torch.cat([self.content, other.content]),
            stamp=torch.cat([self.stamp, other.stamp]),
            squeezed=torch.cat([self.squeezed, other.squeezed]),
            lists=self.lists and replace(self.lists, of=torch.cat([self.lists.of, of])),
        )

    def take(self, rows: Sequence[int], names: Sequence[str]) -> "Index":
        """The images `rows`, as they are called now; nothing is copied where these are all."""
        if list(rows) == list(range(len(self))):
            return replace(self, names=names)
        return Index(
            names,
            self.embedding[rows],
            self.content[rows],
            self.stamp[rows],
            self.squeezed[rows],
            self.made,
            self.lists and replace(self.lists, of=self.lists.of[rows]),
        )


def empty(width: int, made: Mapping[str, Any]) -> Index:
    """An index of nothing, D = `width`."""
    content = torch.zeros(0, DIGEST_BYTES, dtype=torch.uint8)
    stamp = torch.zeros(0, 3, dtype=torch.int64)
    return Index((), torch.zeros(0, width), content, stamp, torch.zeros(0, dtype=torch.bool), made)


def write(path: Path, index: Index) -> None:
    """Write `index`, whole or not at all."""
    # As a tensor: the header of the format would end at 100 MB.
    names = np.frombuffer(json.dumps(list(index.names)).encode(), np.uint8)
    tensors = {
        "names": torch.from_numpy(names.copy()),
        "embedding": index.embedding,
        "content": index.content,
        "stamp": index.stamp,
        "squeezed": index.squeezed,
    }
    about: dict[str, Any] = {"kind": KIND, "made": index.made}
    if index.lists:
        tensors |= {"centre": index.lists.centre, "list": index.lists.of}
        about["metric"] = index.lists.metric
    weights.save(path, tensors, about)


def read(path: Path) -> Index:
    """What `write` wrote.

    Raises:
        UserError: it is no index, or a damaged one.
    """
    try:
        tensors, about = weights.load(path)
    except UserError as error:
        raise _no_index(path, error.details.get("found", error.what)) from None
    try:
        _check_kind(about.get("kind"))
        names, made = json.loads(tensors["names"].numpy().tobytes()), dict(about["made"])
        _check(tensors, names)
        lists = None
        if "metric" in about:
            lists = Lists(tensors["centre"], tensors["list"], about["metric"])
        columns = {name: tensors[name] for name in ("embedding", "content", "stamp", "squeezed")}
        return Index(names, made=made, lists=lists, **columns)
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        raise _no_index(path, f"{type(error).__name__}: {error}") from None


def _check_kind(found: object) -> None:
    if found != KIND:
        raise ValueError(f"kind is {found!r}, not {KIND!r}")


def _check(tensors: Mapping[str, Tensor], names: Sequence[str]) -> None:
    """Raise ValueError where tensors are not those of N images of D numbers."""
    n, (width,) = len(names), tensors["embedding"].shape[1:]
    if type(names) is not list or {*map(type, names)} - {str} or len(set(names)) < n:
        raise ValueError("names are no list of text, or stand twice")
    expected = {
        "embedding": (torch.float32, (n, width)),
        "content": (torch.uint8, (n, DIGEST_BYTES)),
        "stamp": (torch.int64, (n, 3)),
        "squeezed": (torch.bool, (n,)),
    }
    if "centre" in tensors:
        lists = len(tensors["centre"])
        expected |= {"centre": (torch.float32, (lists, width)), "list": (torch.int64, (n,))}
        if n and not -1 <= tensors["list"].min() <= tensors["list"].max() < lists:
            raise ValueError("an image is in a list that is not there")
    for name, (kind, shape) in expected.items():
        found = tensors[name]
        if (found.dtype, tuple(found.shape)) != (kind, shape):
            raise ValueError(f"{name} is {found.dtype} {list(found.shape)}")


def _no_index(path: Path, found: object) -> UserError:
    return UserError(
        "not an index of a gallery, or a damaged one",
        where=path,
        expected="what reidpipe search --index has written there",
        found=found,
        fix="name another file; where it was an index, delete it, and it is made anew",
    )

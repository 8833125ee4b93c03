"""`runs/RUN/features.safetensors`: embeddings of a data set's queries, then of its gallery."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from reidpipe.errors import UserError
from reidpipe.formats import weights

SUBSETS = {"query": 0, "gallery": 1}


@dataclass(frozen=True)
class Features:
    """The queries, then the gallery: N images."""

    embedding: Tensor
    """N x D, float32, not normalised."""
    pid: Tensor
    """N, int64."""
    camid: Tensor
    """N, int64."""
    queries: int
    """How many of the N are queries."""
    flip: bool = False
    """Each is the mean with the mirrored image's."""


def write(path: Path, features: Features, run: str) -> None:
    """Write the features of `run`."""
    subset = torch.ones(len(features.pid), dtype=torch.uint8)
    subset[: features.queries] = SUBSETS["query"]
    tensors = {"embedding": features.embedding, "pid": features.pid, "camid": features.camid}
    about = {"run": run, "flip": features.flip}
    weights.save(path, {**tensors, "subset": subset}, about)


def read(path: Path, device: torch.device | str = "cpu") -> Features:
    """What `write` wrote.

    Raises:
        UserError: it is no features file, or the gallery does not follow the queries.
    """
    tensors, about = weights.load(path)
    _check(tensors, path)
    if (tensors["subset"][1:] < tensors["subset"][:-1]).any():
        raise UserError("the gallery does not follow the queries", where=path, fix="extract again")
    embedding, pid, camid = (tensors[name].to(device) for name in ("embedding", "pid", "camid"))
    queries = int((tensors["subset"] == SUBSETS["query"]).sum())
    return Features(embedding, pid, camid, queries, flip=bool(about.get("flip")))


def _check(tensors: Mapping[str, Tensor], path: Path) -> None:
    found = {name: f"{str(t.dtype)[6:]} {list(t.shape)}" for name, t in tensors.items()}
    rows, width = (*tensors.get("embedding", torch.empty(0)).shape, 0, 0)[:2]
    expected = {"embedding": f"float32 [{rows}, {width}]", "pid": f"int64 [{rows}]"}
    expected |= {"camid": expected["pid"], "subset": f"uint8 [{rows}]"}
    if found != expected or (tensors["subset"] > 1).any():
        raise UserError(
            "not a features file",
            where=path,
            expected=f"{expected}, subset 0 (query) or 1 (gallery)",
            found=found,
            fix="delete it and run dvc repro",
        )

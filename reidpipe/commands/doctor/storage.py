"""What the runs leave on the disk, worked out from their networks and the data sets."""

import json
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch

from reidpipe import systems
from reidpipe.commands.doctor.finding import Finding
from reidpipe.commands.doctor.inputs import Sizes
from reidpipe.commands.doctor.machine import GIB

_NUMBER = 4
"""Bytes of a float32."""
_SCORES, _PLACE = 32, 12
"""Bytes of a ranking: of a query, and of each image at the top of its list."""
_STATE = 2 * 3
"""Numbers per weight in the two states of a training: itself and Adam's moments."""
_PEOPLE = 1000
"""In the classifier: about as many as the data sets have."""
_REST = GIB
"""Bytes for splits, metrics, figures, first weights."""


def disk(
    table: Mapping[str, Mapping[str, Any]], images: Mapping[str, Sizes], top_k: int, root: Path
) -> Finding:
    """Whether there is room for everything that the pipeline writes.

    Every result counts twice: DVC keeps it in its cache, and only some file systems make a copy
    without taking its room.
    """
    sizes = {name: _of_run(run, images[run["dataset"]], top_k) for name, run in table.items()}
    written = sum(left for left, _ in sizes.values())
    packed = sum(own.archive for own in images.values())
    needed = 2 * (written + packed) + max(state for _, state in sizes.values()) + _REST
    free = shutil.disk_usage(root).free
    unknown = [name for name, own in images.items() if not own.query]
    data = f" and the data {packed / GIB:.1f}" if packed else ""
    found = f"{free / GIB:.0f} GiB free, {needed / GIB:.0f} GiB needed: the {len(table)} runs leave"
    found += f" {written / GIB:.1f} GiB{data}, twice with the cache"
    if unknown:
        found += f"; not counted for want of their sizes: {', '.join(unknown)}"
    return Finding(
        "disk", fine=free > needed, found=found, fix=f"free some space in {root.resolve()}"
    )


def _of_run(run: Mapping[str, Any], images: Sizes, top_k: int) -> tuple[int, int]:
    """Bytes of a run's model, features and ranking, and those of the states of its training."""
    weights, width = _of_network(run["system"], json.dumps(run["network"]))
    features = _NUMBER * width * (images.query + images.gallery)
    ranking = images.query * (_SCORES + _PLACE * min(top_k, images.gallery))
    return weights + features + ranking, _STATE * weights


@cache
def _of_network(system: str, network: str) -> tuple[int, int]:
    """Bytes of its weights, and numbers of its descriptor; the runs of a system share one."""
    with torch.device("meta"):
        model = systems.network(system)(_PEOPLE, **json.loads(network))
    return _NUMBER * sum(value.numel() for value in model.state_dict().values()), model.width

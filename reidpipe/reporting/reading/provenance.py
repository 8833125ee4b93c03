"""What the numbers depend on, the same on every machine: no time, host or path."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from reidpipe.files import digest
from reidpipe.formats.params import Params
from reidpipe.reporting.reading.experiment import Experiment
from reidpipe.runtime.settings import OURS

LENGTH = 16
"""Hexadecimal digits of a checksum that are shown."""


def params_hash(params: Params) -> str:
    """SHA-256 of the chosen profile and the knobs, the same for equal values however written."""
    text = json.dumps(params.model_dump(mode="json", exclude={"check"}), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def provenance(root: Path, made: Experiment, datasets: Iterable[str]) -> dict[str, str]:
    """Facts in the order of the page."""
    params = made.params
    train = params.active.train
    height, width = train["image_size"]
    data = {
        f"data/raw/{name}.zip": f"sha256 {digest(root / f'data/raw/{name}.zip')[:LENGTH]}"
        for name in datasets
    }
    return {
        "Profile": params.profile,
        "Backbone": f"{params.active.systems[OURS]['backbone']}, {height} x {width} pixels",
        "Training": f"{train['epochs']} epochs, batches of {train['identities']} x "
        f"{train['images']}, lr {train['lr']:g}, {train['precision']}",
        "Seed": str(params.seed),
        "Ours": f"attention {params.attention}, classifier {params.classifier}, "
        + ("cross-entropy + triplet" if params.triplet else "cross-entropy"),
        "Parameters": f"sha256 {params_hash(params)}",
        **data,
        "Libraries": ", ".join(f"{name} {version}" for name, version in made.libraries.items()),
    }

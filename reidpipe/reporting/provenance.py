"""What the numbers depend on, the same on every machine: no time, host or path."""

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path

from reidpipe.errors import UserError
from reidpipe.files import digest
from reidpipe.params import Params

LIBRARIES = ("torch", "torchvision", "numpy", "pillow", "scikit-learn", "pandas", "safetensors")
LENGTH = 16
"""Hexadecimal digits of a checksum that are shown."""
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


def params_hash(params: Params) -> str:
    """SHA-256 of the active profile and the knobs, the same for equal values however written."""
    # What the gate tolerates decides no number, and the report stage does not track it.
    others = {"embedded", "paper", "check"}
    content = params.model_dump(mode="json", by_alias=True, exclude=others)
    content["active"] = params.active.model_dump(mode="json", by_alias=True)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:LENGTH]


def versions(lock: Path) -> dict[str, str]:
    """Versions of the libraries that decide the numbers, from requirements.lock.

    Raises:
        UserError: the lock is missing.
    """
    try:
        pinned = dict(_PIN.findall(lock.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UserError("the lock is missing", where=lock, fix="git restore it") from None
    return {name: pinned[name] for name in LIBRARIES if name in pinned}


def provenance(root: Path, params: Params, datasets: Iterable[str]) -> dict[str, str]:
    """Facts in the order of the page."""
    train = params.active.train
    height, width = train.image_size
    data = {
        f"data/raw/{name}.zip": f"sha256 {digest(root / f'data/raw/{name}.zip')[:LENGTH]}"
        for name in datasets
    }
    pins = versions(root / "requirements.lock")
    return {
        "Profile": params.profile,
        "Backbone": f"{train.backbone}, {height} x {width} pixels",
        "Training": f"{train.epochs} epochs, batches of {train.identities} x {train.images}, "
        f"lr {train.lr:g}, {train.precision}",
        "Seed": str(params.seed),
        "Ours": f"attention {params.attention}, classifier {params.classifier}, "
        + ("cross-entropy + triplet" if params.triplet else "cross-entropy"),
        "Parameters": f"sha256 {params_hash(params)}",
        **data,
        "Libraries": ", ".join(f"{name} {version}" for name, version in pins.items()),
    }

"""Tensors on disk: safetensors, written whole or not at all, with one JSON document beside them.

Nothing here unpickles. The JSON stands under a single metadata key because safetensors writes its
metadata in hash order, which differs between processes: two keys would mean two possible files.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from reidpipe.errors import UserError
from reidpipe.files import write_bytes

_KEY = "reidpipe"


def save(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write `tensors` (any shapes, moved to the CPU) and the JSON document `about`, atomically."""
    stored = {name: tensors[name].detach().cpu().contiguous() for name in sorted(tensors)}
    write_bytes(path, to_bytes(stored, {_KEY: json.dumps(about, sort_keys=True)}))


def about(path: Path) -> dict[str, Any]:
    """The JSON document of a file that `save` wrote; raises what `load` raises."""
    with _opened(path) as file:
        found: dict[str, Any] = json.loads((file.metadata() or {})[_KEY])
    return found


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors on the CPU and the JSON document of a file that `save` wrote.

    Raises:
        UserError: the file is missing, truncated, or not one of ours.
    """
    with _opened(path) as file:
        tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
        return tensors, json.loads((file.metadata() or {})[_KEY])


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except FileNotFoundError:
        raise UserError(
            "a weights or features file is missing", where=path, fix="dvc repro (or dvc pull)"
        ) from None
    except (SafetensorError, KeyError, json.JSONDecodeError, OSError) as error:
        raise UserError(
            "not a safetensors file that reidpipe wrote",
            where=path,
            found=f"{type(error).__name__}: {error}",
            fix=f"delete it and run dvc repro; it is {path.stat().st_size} bytes long",
        ) from None

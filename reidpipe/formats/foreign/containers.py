"""The files that features from elsewhere come in: numbers and texts by name.

Nothing here unpickles: numpy reads with allow_pickle=False, safetensors knows no objects.
"""

import csv
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.lib.npyio import NpzFile
from safetensors import SafetensorError, safe_open
from torch import Tensor

from reidpipe.errors import UserError, nearest

Columns = Mapping[str, Tensor | list[str]]
"""Numbers of any shape, or texts, by name."""
NAMES = ("names", "name", "paths", "path", "member")
"""What a column of names may be called."""
# What numpy and zipfile raise on files that are no arrays, or damaged ones: encrypted, of sizes
# that no machine has, of a compression that this Python lacks.
_UNREADABLE = (
    *(ValueError, KeyError, TypeError, OSError, EOFError, RuntimeError, MemoryError),
    *(SafetensorError, zipfile.BadZipFile, zlib.error, csv.Error),
)


def arrays(path: Path) -> Columns:
    """What a .safetensors, an .npz or an .npy (one array, called features) holds.

    Texts of a safetensors file are JSON lists in its metadata.

    Raises:
        UserError: there is no such file, it is of another kind or damaged, or an array is pickled.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        expected = ", ".join(_READERS)
        raise UserError("features cannot be read from such a file", where=path, expected=expected)
    with _explained(path):
        return reader(path)


def table(path: Path) -> Columns:
    """The columns of a CSV; one without a header, and with one column, is `names`.

    Raises:
        UserError: there is no such file, or its lines have other lengths than the first.
    """
    with _explained(path):
        text = path.read_text(encoding="utf-8-sig")  # spreadsheets write a mark first
        header, *rows = [row for row in csv.reader(io.StringIO(text), strict=True) if row] or [[]]
        if len(header) == 1 and header[0] not in NAMES:
            header, rows = ["names"], [header, *rows]
        if odd := [row for row in rows if len(row) != len(header)]:
            raise ValueError(f"{len(odd)} lines have not {len(header)} values: {odd[0]}")
        return {name: [row[i] for row in rows] for i, name in enumerate(header)}


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    if not path.is_file():
        beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        raise UserError("there is no such file", where=path, fix=nearest(path.name, beside))
    try:
        yield
    except _UNREADABLE as error:
        pickled = "allow_pickle" in str(error)
        raise UserError(
            "the file cannot be read",
            where=path,
            found="Python objects, which are never unpickled" if pickled else error,
            fix="save names as np.array(names, dtype=str)" if pickled else "write it again",
        ) from None


def _safetensors(path: Path) -> Columns:
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
        said = {name: _listed(text) for name, text in (file.metadata() or {}).items()}
    return {**tensors, **{name: texts for name, texts in said.items() if texts is not None}}


def _listed(text: str) -> list[str] | None:
    """Metadata may say anything: what is no list of texts is none of ours."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_list = isinstance(found, list) and all(isinstance(each, str) for each in found)
    return found if is_list else None


def _npz(path: Path) -> Columns:
    with np.load(path, allow_pickle=False) as archive:
        if not isinstance(archive, NpzFile):
            raise ValueError("one array and no npz; an .npy has its names in a CSV")  # noqa: TRY004
        found = {name: _column(archive[name]) for name in archive.files}
    return {name: column for name, column in found.items() if column is not None}


def _npy(path: Path) -> Columns:
    column = _column(np.load(path, allow_pickle=False))
    if not isinstance(column, Tensor):
        raise ValueError("an array of numbers is expected")  # noqa: TRY004
    return {"features": column}


def _column(array: object) -> Tensor | list[str] | None:
    """None for what is neither numbers nor texts: dates, records, members that are no arrays."""
    if not isinstance(array, np.ndarray):
        return None
    if array.dtype.kind in "US":
        return [t.decode() if isinstance(t, bytes) else t for t in array.ravel().tolist()]
    try:
        return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=False))
    except TypeError:
        return None


_READERS: dict[str, Callable[[Path], Columns]] = {
    ".safetensors": _safetensors,
    ".npz": _npz,
    ".npy": _npy,
}

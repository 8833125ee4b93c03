"""`runs/RUN/ranking.npz`: the ranked lists of a run, and what its queries scored."""

import io
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reidpipe.errors import UserError
from reidpipe.files import write_bytes
from reidpipe.formats.queries import Queries

SCORES = ("query", "average_precision", "inp", "first_match")
# What numpy raises on a file that is no npz, a damaged one, or one of other arrays.
_NOT_NPZ = (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile)


def write(path: Path, arrays: Mapping[str, ArrayLike]) -> None:
    """An npz without objects, equal bytes for equal content.

    Not by numpy's savez: it asks for headers of more than 4 GiB, which Python 3.11.2 and 3.11.7
    write in two ways.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in arrays.items():
            array = io.BytesIO()
            np.save(array, content, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), array.getvalue())
    write_bytes(path, buffer.getvalue())


def read(path: Path, names: Collection[str]) -> dict[str, NDArray[np.generic]]:
    """The arrays `names` of what `write` wrote.

    Raises:
        UserError: the file is missing or is no ranking.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in names}
    except FileNotFoundError:
        raise UserError("a ranking is missing", where=path, fix="dvc repro evaluate") from None
    except _NOT_NPZ as error:
        raise UserError("not a ranking that reidpipe wrote", where=path, found=error) from None


def read_queries(path: Path) -> Queries:
    """What the queries scored, with ranks from 1, where the file has them from 0."""
    query, precision, inp, first = read(path, SCORES).values()
    ranks = first.astype(np.int64) + 1
    scores = precision.astype(np.float64), inp.astype(np.float64)
    return Queries(query.astype(np.int64), *scores, ranks)

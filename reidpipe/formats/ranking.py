"""`runs/RUN/ranking.npz`: the ranked lists of a run, and what its queries scored."""

import io
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reidpipe.errors import UserError
from reidpipe.files import write_bytes
from reidpipe.formats import zips
from reidpipe.formats.queries import Queries

# What numpy raises on a file that is no npz, a damaged one, or one of other arrays.
_NOT_NPZ = (ValueError, KeyError, OSError, EOFError, TypeError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Ranking:
    """What is known of the Qv queries that have a true match, in query order."""

    query: NDArray[np.int64]
    """Qv: row among the queries."""
    first_match: NDArray[np.int64]
    """Qv: 0-based rank of the nearest true match."""
    average_precision: NDArray[np.float64]
    """Qv: mean over the true matches of (matches up to it) / (images up to it), the step form."""
    inp: NDArray[np.float64]
    """Qv: inverse negative penalty, matches / rank of the last match (2001.04193)."""
    top: NDArray[np.int64]
    """Qv x k: gallery indices, nearest first; -1 where fewer than k are left without junk."""
    top_distance: NDArray[np.float32]
    """Qv x k: their distances; infinity where `top` is -1."""
    num_query: int
    """All queries, with the skipped ones that have no true match."""

    @property
    def queries(self) -> Queries:
        """The scores whose means are the metrics."""
        return Queries(self.query, self.average_precision, self.inp, self.first_match + 1)


def empty(num_query: int, top_k: int) -> Ranking:
    """That of queries of which none has a true match."""
    none, scores = np.zeros(0, np.int64), np.zeros(0, np.float64)
    top = np.zeros((0, top_k), np.int64)
    return Ranking(none, none, scores, scores, top, top.astype(np.float32), num_query)


def write(path: Path, ranking: Ranking) -> None:
    """An npz without objects, equal bytes for equal content.

    Not by numpy's savez: it asks for headers of more than 4 GiB, which Python 3.11.2 and 3.11.7
    write in two ways.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for field in fields(Ranking):
            array = io.BytesIO()
            np.save(array, getattr(ranking, field.name), allow_pickle=False)
            archive.writestr(zips.entry(f"{field.name}.npy"), array.getvalue())
    write_bytes(path, buffer.getvalue())


def read(path: Path) -> Ranking:
    """What `write` wrote.

    Raises:
        UserError: the file is missing or is no ranking.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found: dict[str, Any] = {field.name: arrays[field.name] for field in fields(Ranking)}
            return Ranking(**found | {"num_query": int(found["num_query"])})
    except FileNotFoundError:
        raise UserError("a ranking is missing", where=path, fix="dvc repro evaluate") from None
    except _NOT_NPZ as error:
        raise UserError(
            "not a ranking that reidpipe wrote",
            where=path,
            found=error,
            fix="delete it and run dvc repro",
        ) from None

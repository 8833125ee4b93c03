"""Distances between queries and gallery, a block of queries at a time.

The bits of a float32 product depend on the kernel that the BLAS picks, and it picks by shape: the
same two vectors may differ in the last bits between a 5-row and a 500-row product, and equal
columns of a 33-column product may not come out equal. Here every product of an evaluation has one
shape, chosen by the size of the gallery alone: TILE_Q queries by tiles of thousands of columns,
padded or overlapping at the ends. A distance is then the same in any block size, and equal
embeddings tie exactly. Where several threads share a tile they split it into rows and columns,
never along D (tests/metrics/test_distance.py checks all of it on the machine at hand).
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor
from torch.nn.functional import pad

from reidpipe.errors import UserError
from reidpipe.runtime.settings import Metric

TILE_Q = 256
MIN_TILE_G, MAX_TILE_G, STEP_G = 2048, 4096, 64
_MB = 1 << 20


def prepare_(embedding: Tensor, metric: Metric, name: str) -> Tensor:
    """Check `embedding` (N x D) and, for cosine, scale its rows to length 1 *in place*.

    In place because at MSMT17 size a copy would double the memory of the whole evaluation.

    Raises:
        UserError: the set is empty, rows hold NaN or infinity, or (cosine) are all zero.
    """
    if not len(embedding):
        raise UserError(f"there are no {name} images", expected="one or more", found="0 rows")
    length = _lengths(embedding)
    # The squared length must fit a float32: the Euclidean form adds it.
    broken = ~(length < torch.finfo(torch.float32).max ** 0.5 / 2)
    if broken.any():
        raise _wrong_rows("not finite", broken, name)
    if metric == "cosine":
        zero = length == 0
        if zero.any():
            raise _wrong_rows("zero, so they have no direction", zero, name)
        embedding.div_(length.float()[:, None])
    return embedding


def _wrong_rows(what: str, wrong: Tensor, name: str) -> UserError:
    first = ", ".join(str(row) for row in wrong.nonzero()[:5, 0].tolist())
    return UserError(
        f"{name} embeddings are {what}",
        expected="finite numbers, not all zero",
        found=f"{int(wrong.sum())} of {len(wrong)} rows, the first {first}",
        fix="train again with a lower learning rate (or fp32), then extract again",
    )


class Distances:
    """Blocks of TILE_Q queries x the whole gallery, both from `prepare_`.

    Cosine distance is 1 - cos; Euclidean distance is *squared*. None is negative.

    Raises:
        UserError: query and gallery have embeddings of different length.
    """

    def __init__(self, query: Tensor, gallery: Tensor, metric: Metric) -> None:
        if query.shape[1] != gallery.shape[1]:
            raise _wrong_length(query, gallery)
        self.query, self.images = query, len(gallery)
        self.firsts = range(0, len(query), TILE_Q)
        self._width = tile_width(len(gallery))
        missing = self._width - len(gallery)
        # Only where there is something to add: padding copies.
        self._gallery = pad(gallery, (0, 0, 0, missing)) if missing > 0 else gallery
        self._squares = _squares(self._gallery) if metric == "euclidean" else None

    def at_a_time(self, block_mb: int) -> int:
        """How many blocks `block_mb` holds; one at least."""
        return max(1, block_mb * _MB // (TILE_Q * len(self._gallery) * self._gallery.itemsize))

    def blocks(self, firsts: Iterable[int]) -> Iterator[tuple[int, Tensor]]:
        """Yield (first query, its block) for `firsts`; valid until the next, memory is reused."""
        out = self._gallery.new_empty(TILE_Q, len(self._gallery))
        for first in firsts:
            part = self.query[first : first + TILE_Q]
            self._fill(out, pad(part, (0, 0, 0, TILE_Q - len(part))))
            yield first, out[: len(part), : self.images]

    def _fill(self, out: Tensor, query: Tensor) -> None:
        squares = None if self._squares is None else _squares(query)[:, None]
        last = len(self._gallery) - self._width
        # The last tile overlaps its neighbour.
        for start in (*range(0, last, self._width), last):
            columns = slice(start, start + self._width)
            tile = out[:, columns]
            torch.mm(query, self._gallery[columns].T, out=tile)
            if squares is None or self._squares is None:
                torch.sub(1.0, tile, out=tile)
            else:
                torch.sub(squares + self._squares[columns], tile, alpha=2, out=tile)
            tile.clamp_(min=0)


def blocks(query: Tensor, gallery: Tensor, metric: Metric) -> Iterator[tuple[int, Tensor]]:
    """All blocks of `Distances`, one at a time."""
    distances = Distances(query, gallery, metric)
    yield from distances.blocks(distances.firsts)


def _wrong_length(query: Tensor, gallery: Tensor) -> UserError:
    return UserError(
        "query and gallery embeddings differ in length",
        expected=f"{query.shape[1]} numbers, as the queries have",
        found=f"{gallery.shape[1]} per gallery image",
        fix="extract both with the same model",
    )


def tile_width(images: int) -> int:
    """Columns of a tile: a multiple of STEP_G that covers the gallery with little overlap."""
    tiles = -(-images // MAX_TILE_G)
    return max(MIN_TILE_G, -(-images // (tiles * STEP_G)) * STEP_G)


def _squares(embedding: Tensor) -> Tensor:
    return _lengths(embedding).square().float()


def _lengths(embedding: Tensor) -> Tensor:
    """Float64 lengths; a few rows at a time, for torch turns what it is given into float64."""
    lengths = embedding.new_empty(len(embedding), dtype=torch.float64)
    for first in range(0, len(embedding), TILE_Q):
        rows = slice(first, first + TILE_Q)
        lengths[rows] = torch.linalg.vector_norm(embedding[rows], dim=1, dtype=torch.float64)
    return lengths


def pairwise(a: Tensor, b: Tensor, metric: Metric) -> Tensor:
    """Distances of the rows of `a` to the same rows of `b` (P x D each), up to the last bits."""
    if metric == "cosine":
        return (1 - (a * b).sum(dim=1)).clamp(min=0)
    return _squares(a - b)

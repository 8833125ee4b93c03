"""Distances between queries and gallery, a block of queries at a time.

The bits of a float32 product depend on the kernel that the BLAS picks, and it picks by shape: the
same two vectors may differ in the last bits between a 5-row and a 500-row product, and equal
columns of a 33-column product may not come out equal. Here every product of an evaluation has one
shape, chosen by the size of the gallery alone: TILE_Q queries by tiles of thousands of columns,
padded or overlapping at the ends. A distance is then the same in any block size, and equal
embeddings tie exactly. Threads split such a tile into rows and columns, never along D
(tests/metrics/test_distance.py checks all of it on the machine at hand).
"""

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

from reidpipe.errors import UserError

Metric = Literal["cosine", "euclidean"]
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


def blocks(
    query: Tensor, gallery: Tensor, metric: Metric, block_mb: int
) -> Iterator[tuple[int, Tensor]]:
    """Yield (index of the first query, distance block) over all queries.

    Both sides come from `prepare_`. A block is rows x len(gallery), float32, at most `block_mb`
    (but one tile of queries at least), never negative, and valid until the next one: the memory
    is reused. Cosine distance is 1 - cos; Euclidean distance is *squared*.

    Raises:
        UserError: query and gallery have embeddings of different length.
    """
    if query.shape[1] != gallery.shape[1]:
        raise UserError(
            "query and gallery embeddings differ in length",
            expected=f"{query.shape[1]} numbers, as the queries have",
            found=f"{gallery.shape[1]} a gallery image",
            fix="extract both with the same model",
        )
    tiles = max(1, block_mb * _MB // (TILE_Q * len(gallery) * gallery.element_size()))
    rows = TILE_Q * min(tiles, -(-len(query) // TILE_Q))
    product = _Product(gallery, metric)
    block = gallery.new_empty(rows, len(product.gallery))
    for first in range(0, len(query), rows):
        part = query[first : first + rows]
        for row in range(0, len(part), TILE_Q):
            product.into(block[row : row + TILE_Q], part[row : row + TILE_Q])
        yield first, block[: len(part), : len(gallery)]


class _Product:
    """The gallery cut into tiles of equal width; the last one overlaps its neighbour."""

    def __init__(self, gallery: Tensor, metric: Metric) -> None:
        self.width = tile_width(len(gallery))
        missing = self.width - len(gallery)
        # Only where there is something to add: padding copies.
        self.gallery = pad(gallery, (0, 0, 0, missing)) if missing > 0 else gallery
        last = len(self.gallery) - self.width
        self.starts = [*range(0, last, self.width), last]
        self.squares = _squares(self.gallery) if metric == "euclidean" else None

    def into(self, out: Tensor, query: Tensor) -> None:
        """Fill `out` (TILE_Q x padded gallery) for at most TILE_Q queries."""
        query = pad(query, (0, 0, 0, TILE_Q - len(query)))
        squares = None if self.squares is None else _squares(query)[:, None]
        for start in self.starts:
            columns = slice(start, start + self.width)
            tile = out[:, columns]
            torch.mm(query, self.gallery[columns].T, out=tile)
            if self.squares is None or squares is None:
                torch.sub(1.0, tile, out=tile)
            else:
                torch.sub(squares + self.squares[columns], tile, alpha=2, out=tile)
            tile.clamp_(min=0)


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

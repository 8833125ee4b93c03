"""k-reciprocal re-ranking (Zhong et al., 1701.08398), in memory O(N k).

All N = queries + gallery images take part. Each is described by its k-reciprocal neighbours,
weighted by exp(-distance); the Jaccard distance of two such descriptions is mixed with the original
one. Here the descriptions are sparse rows and distances come in blocks: N x N never exists. The
original distance of an image is divided by its largest one, as the authors' code does and the
paper does not say; cosine and (squared) Euclidean distance of unit vectors then come out equal.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from reidpipe.metrics import distance, keys
from reidpipe.metrics.distance import Metric
from reidpipe.metrics.sparse import Rows

Indices = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
ROWS = 64
PAIRS = 4096


def blocks(
    embedding: Tensor,
    queries: int,
    metric: Metric,
    block_mb: int,
    *,
    k1: int,
    k2: int,
    weight: float,
) -> Iterator[tuple[int, Tensor]]:
    """Like `distance.blocks`, re-ranked: weight x original + (1 - weight) x Jaccard, Eq. 12.

    `embedding`: N x D from `distance.prepare_`, the queries first. `k1`: neighbours of an image;
    `k2`: neighbours whose descriptions are averaged (local query expansion, Eq. 11).
    """
    neighbour, largest = _neighbours(embedding, metric, block_mb, min(k1 + 1, len(embedding)))
    row, column = reciprocal_sets(neighbour)
    value = _weights(embedding, metric, row, column, largest)
    described = averaged(Rows.of(row, column, value, len(embedding)), neighbour[:, :k2])
    holders = described.transposed()
    plain = distance.blocks(embedding[:queries], embedding[queries:], metric, block_mb)
    for first, block in plain:
        for start in range(0, len(block), ROWS):
            part = block[start : start + ROWS]
            images = np.arange(first + start, first + start + len(part))
            jaccard = _jaccard(described, holders, images)[:, queries:]
            part.div_(largest[images, None].to(part)).mul_(weight)
            part.add_(torch.from_numpy((1 - weight) * jaccard).to(part)).clamp_(min=0)
        yield first, block


def _neighbours(embedding: Tensor, metric: Metric, block_mb: int, k: int) -> tuple[Indices, Tensor]:
    """The k nearest of each image (itself among them), N x k, and its largest distance, N."""
    nearest: list[Tensor] = []
    largest: list[Tensor] = []
    for _, block in distance.blocks(embedding, embedding, metric, block_mb):
        largest.append(block.amax(dim=1))
        parts = (block[first : first + keys.ROWS] for first in range(0, len(block), keys.ROWS))
        nearest += [keys.nearest(part, k).cpu() for part in parts]
    # All images equal: every distance is 0, whatever it is divided by.
    return torch.cat(nearest).numpy(), torch.cat(largest).cpu().clamp(min=1e-30)


def reciprocal_sets(neighbour: Indices) -> tuple[Indices, Indices]:
    """Pairs (image, member) of the expanded k-reciprocal sets R*(p, k1), Eq. 2-3, in row order.

    The k/2-reciprocal set of a member joins when more than 2/3 of it is in R(p, k1) already.
    """
    # The image itself stands first, beside its k neighbours. numpy rounds a half to even, as the
    # authors' code does.
    half = int(np.around((neighbour.shape[1] - 1) / 2)) + 1
    mutual, mutual_half = _mutual(neighbour), _mutual(neighbour[:, :half])
    parts = []
    for first in range(0, len(neighbour), ROWS):
        chunk = slice(first, first + ROWS)
        member = _members(neighbour[chunk], mutual[chunk], neighbour[:, :half], mutual_half)
        row, column = member.nonzero()
        parts.append((row + first, column))
    row, column = (np.concatenate(part) for part in zip(*parts, strict=True))
    return row, column


def _mutual(neighbour: Indices) -> npt.NDArray[np.bool_]:
    """N x k: is this image a neighbour of its neighbour."""
    mutual = np.empty(neighbour.shape, dtype=np.bool_)
    for first in range(0, len(neighbour), ROWS):
        chunk = neighbour[first : first + ROWS]
        image = np.arange(first, first + len(chunk))
        mutual[first : first + ROWS] = (neighbour[chunk] == image[:, None, None]).any(axis=2)
    return mutual


def _members(
    neighbour: Indices,
    mutual: npt.NDArray[np.bool_],
    half_neighbour: Indices,
    mutual_half: npt.NDArray[np.bool_],
) -> npt.NDArray[np.bool_]:
    """R x N: who is in the expanded set of each of a few images."""
    row = np.arange(len(neighbour))
    inside = np.zeros((len(neighbour), len(half_neighbour)), dtype=np.bool_)
    inside[np.broadcast_to(row[:, None], mutual.shape)[mutual], neighbour[mutual]] = True
    other, other_mutual = half_neighbour[neighbour], mutual_half[neighbour]
    shared = (inside[row[:, None, None], other] & other_mutual).sum(axis=2)
    joins = mutual & (3 * shared > 2 * other_mutual.sum(axis=2))
    added = joins[:, :, None] & other_mutual
    inside[np.broadcast_to(row[:, None, None], added.shape)[added], other[added]] = True
    return inside


def _weights(
    embedding: Tensor, metric: Metric, row: Indices, column: Indices, largest: Tensor
) -> Floats:
    """exp(-distance), Eq. 7, of each pair, divided by its row's sum."""
    parts = []
    for first in range(0, len(row), PAIRS):
        pair = slice(first, first + PAIRS)
        a, b = embedding[row[pair]], embedding[column[pair]]
        parts.append(distance.pairwise(a, b, metric).cpu() / largest[row[pair]])
    value: Floats = np.exp(-torch.cat(parts).double().numpy())
    return value / np.bincount(row, weights=value)[row]


def averaged(described: Rows, neighbour: Indices) -> Rows:
    """Each row replaced by the mean of the rows of its `neighbour`s (N x k2), Eq. 11."""
    images, k = neighbour.shape
    parts = []
    for first in range(0, images, ROWS):
        chunk = neighbour[first : first + ROWS]
        owner, place = described.take(chunk.reshape(-1))
        total = _sums(
            owner // k, described.column[place], described.value[place], len(chunk), images
        )
        row, column = total.nonzero()
        parts.append((row + first, column, total[row, column] / k))
    row, column, value = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Rows.of(row, column, value, images)


def _jaccard(described: Rows, holders: Rows, images: Indices) -> Floats:
    """Distance of a few `images` to all N, Eq. 10; rows sum to 1, so max-sum = 2 - min-sum."""
    owner, place = described.take(images)
    entry, holder = holders.take(described.column[place])
    smaller = np.minimum(described.value[place][entry], holders.value[holder])
    shared = _sums(
        owner[entry], holders.column[holder], smaller, len(images), len(described.start) - 1
    )
    return 1 - shared / (2 - shared)


def _sums(row: Indices, column: Indices, value: Floats, rows: int, columns: int) -> Floats:
    """A dense rows x columns matrix of the sums of `value` at equal places."""
    flat = np.bincount(row * columns + column, weights=value, minlength=rows * columns)
    return flat.astype(np.float64, copy=False).reshape(rows, columns)

"""k-reciprocal re-ranking (Zhong et al., 1701.08398), in memory O(N k).

All N = queries + gallery images take part. Each is described by its k-reciprocal neighbours,
weighted by exp(-distance); the Jaccard distance of two such descriptions is mixed with the original
one. Here the descriptions are sparse rows and distances come in blocks: N x N never exists. The
original distance of an image is divided by its largest one, as the authors' code does and the
paper does not say; cosine and (squared) Euclidean distance of unit vectors then come out equal.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import csr_array
from torch import Tensor

from reidpipe.formats.queries import Floats
from reidpipe.metrics import keys
from reidpipe.metrics.distance import Distances, pairwise
from reidpipe.metrics.parallel import over_blocks
from reidpipe.runtime.settings import Fraction, Metric, PositiveInt

Indices = npt.NDArray[np.int64]
ROWS = 64
PAIRS = 4096


class Reranked:
    """Like `Distances`, re-ranked: weight x original + (1 - weight) x Jaccard, Eq. 12.

    `embedding`: N x D from `distance.prepare_`, the queries first. `k1`: neighbours of an image;
    `k2`: neighbours whose descriptions are averaged (local query expansion, Eq. 11).
    """

    def __init__(
        self,
        embedding: Tensor,
        queries: int,
        metric: Metric,
        block_mb: int,
        *,
        k1: PositiveInt = 20,
        k2: PositiveInt = 6,
        weight: Fraction = 0.3,
    ) -> None:
        self._plain = Distances(embedding[:queries], embedding[queries:], metric)
        self.firsts, self.at_a_time = self._plain.firsts, self._plain.at_a_time
        self._weight, self._queries = weight, queries
        everyone = Distances(embedding, embedding, metric)
        neighbour, self._largest = _neighbours(everyone, block_mb, min(k1 + 1, len(embedding)))
        row, column = reciprocal_sets(neighbour)
        value = _weights(embedding, metric, row, column, self._largest)
        described = csr_array((value, (row, column)), shape=(len(embedding), len(embedding)))
        self._described = averaged(described, neighbour[:, :k2])
        self._holders = self._described.T.tocsr()

    def blocks(self, firsts: Iterable[int]) -> Iterator[tuple[int, Tensor]]:
        """Yield (first query, its block) for `firsts`; valid until the next, memory is reused."""
        for first, block in self._plain.blocks(firsts):
            for start in range(0, len(block), ROWS):
                self._mix(block[start : start + ROWS], first + start)
            yield first, block

    def _mix(self, distance: Tensor, first: int) -> None:
        images = np.arange(first, first + len(distance))
        jaccard = _jaccard(self._described, self._holders, images)[:, self._queries :]
        distance.div_(self._largest[images, None].to(distance)).mul_(self._weight)
        distance.add_(torch.from_numpy((1 - self._weight) * jaccard).to(distance)).clamp_(min=0)


def _neighbours(distances: Distances, block_mb: int, k: int) -> tuple[Indices, Tensor]:
    """The k nearest of each image (itself among them), N x k, and its largest distance, N."""

    def work(firsts: Iterator[int]) -> list[tuple[int, Tensor, Tensor]]:
        return [
            (first, _nearest(block, k), block.amax(dim=1).cpu())
            for first, block in distances.blocks(firsts)
        ]

    found = over_blocks(work, distances.firsts, distances.at_a_time(block_mb))
    _, nearest, largest = zip(*sorted(found, key=lambda part: part[0]), strict=True)
    # All images equal: every distance is 0, whatever it is divided by.
    return torch.cat(nearest).numpy(), torch.cat(largest).clamp(min=1e-30)


def _nearest(block: Tensor, k: int) -> Tensor:
    starts = range(0, len(block), keys.ROWS)
    return torch.cat([keys.nearest(block[row : row + keys.ROWS], k).cpu() for row in starts])


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
        parts.append(pairwise(a, b, metric).cpu() / largest[row[pair]])
    value: Floats = np.exp(-torch.cat(parts).double().numpy())
    return value / np.bincount(row, weights=value)[row]


def averaged(described: csr_array, neighbour: Indices) -> csr_array:
    """Each row replaced by the mean of the rows of its `neighbour`s (N x k2), Eq. 11."""
    images, k = neighbour.shape
    ones, start = np.ones(neighbour.size), np.arange(0, neighbour.size + 1, k)
    mean = csr_array((ones, neighbour.reshape(-1), start), shape=(images, images)) @ described / k
    mean.sort_indices()  # an order for the sums to come
    return mean


def _jaccard(described: csr_array, holders: csr_array, images: Indices) -> Floats:
    """Distance of a few `images` to all N, Eq. 10; rows sum to 1, so max-sum = 2 - min-sum."""
    own = described[images]
    other = holders[own.indices]
    owner, entry = (np.repeat(np.arange(m.shape[0]), np.diff(m.indptr)) for m in (own, other))
    smaller = np.minimum(own.data[entry], other.data)
    shared = _sums(owner[entry], other.indices, smaller, len(images), described.shape[0])
    return 1 - shared / (2 - shared)


def _sums(row: Indices, column: Indices, value: Floats, rows: int, columns: int) -> Floats:
    """A dense rows x columns matrix of the sums of `value` at equal places."""
    flat = np.bincount(row * columns + column, weights=value, minlength=rows * columns)
    return flat.astype(np.float64, copy=False).reshape(rows, columns)

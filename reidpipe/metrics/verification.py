"""Same person or not, by one threshold on the distance: ROC AUC and TPR at a given FPR.

Every pair of a query and a gallery image counts, junk apart. There are a thousand million of them
at MSMT17 size, so they are counted in bins: the leading bits of the float32 distance, which makes
bins of equal *relative* width (1/8192) with no need to know the range. Positives and negatives
that share a bin cannot be told apart; both figures come with the error that this can cause.
"""

from collections.abc import Iterable, Iterator
from threading import Lock

import torch
from torch import Tensor

from reidpipe.errors import UserError
from reidpipe.metrics.protocol import Block

# Of the 23 bits of the fraction 13 are kept.
DROPPED_BITS = 10
INFINITY = 0x7F800000 >> DROPPED_BITS
# Their bins fit the cache.
PAIRS_AT_A_TIME = 1 << 18


class Pairs:
    """Counts of positive and negative pairs per distance bin."""

    def __init__(self, device: torch.device) -> None:
        self.all = torch.zeros(INFINITY + 1, dtype=torch.int64, device=device)
        self.positive = self.all.clone()
        self._lock = Lock()

    def counted(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """Pass all `blocks` on, then add their pairs; several threads may do so at once."""
        own = torch.zeros_like(self.all)
        for block in blocks:
            rows = max(1, PAIRS_AT_A_TIME // block.distance.shape[1])
            for first in range(0, len(block.distance), rows):
                _count(block.distance[first : first + rows].reshape(-1), own)
            with self._lock:
                _count(block.distance[block.row, block.column], self.positive)
            yield block
        with self._lock:
            self.all += own

    def roc_auc(self) -> tuple[float, float]:
        """Area under the ROC curve (bins of ties count half) and the largest error of it."""
        positive, negative = self._split()
        total = int(positive.sum()) * int(negative.sum())
        below = negative.cumsum(0) - negative
        wrong = int((positive * below).sum()) / total
        shared = int((positive * negative).sum()) / total / 2
        return 1 - wrong - shared, shared

    def tpr_at_fpr(self, fpr: float) -> tuple[float, float]:
        """Share of positives accepted where at most `fpr` of negatives are, and its largest error.

        The threshold is the last bin edge that keeps to `fpr`; the best threshold lies in the bin
        above, so the true figure is never below the one returned.
        """
        positive, _ = self._split()
        accepted, total = self._accepted(fpr), int(positive.sum())
        unsure = positive[accepted : accepted + 1]
        return int(positive[:accepted].sum()) / total, int(unsure.sum()) / total

    def distance_at_fpr(self, fpr: float) -> float:
        """That threshold: pairs nearer than this are taken for the same person."""
        edge = torch.tensor(self._accepted(fpr) << DROPPED_BITS, dtype=torch.int32)
        return float(edge.view(torch.float32))

    def _accepted(self, fpr: float) -> int:
        """How many bins, from the nearest on, hold at most `fpr` of the negatives."""
        _, negative = self._split()
        return int((negative.cumsum(0) <= fpr * int(negative.sum())).sum())

    def _split(self) -> tuple[Tensor, Tensor]:
        """Counts of positives and negatives; junk lies in the bin of infinity.

        They stay integers: their sums, unlike those of floats, are the same on any threads.
        """
        negative = self.all - self.positive
        if not negative[:INFINITY].any():
            raise UserError(
                "there is no negative pair, so no false positive rate",
                expected="gallery images of other identities than the queries'",
                found=f"{int(self.positive.sum())} pairs, all of them true matches",
            )
        return self.positive[:INFINITY], negative[:INFINITY]


def _count(distance: Tensor, into: Tensor) -> None:
    """Add 1 to the bin of each distance; bincount would read the bins three times."""
    bins = distance.view(torch.int32) >> DROPPED_BITS
    into.index_add_(0, bins, into.new_ones(()).expand(len(bins)))

"""How sure a metric is: the percentile bootstrap over queries (Efron, 1979).

Every metric here is a mean over queries, so one resampling of the queries serves all of them. Two
runs on the same queries are compared by the mean of the differences per query, resampled likewise:
the *paired* bootstrap, far narrower than two separate intervals, for the queries that are hard for
one run are hard for the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from reidpipe.errors import UserError
from reidpipe.formats.queries import METRICS, Floats, Queries
from reidpipe.runtime.settings import NonNegativeInt, PositiveInt, Share
from reidpipe.runtime.streams import stream


@dataclass(frozen=True)
class Difference:
    """One metric of two runs on the same queries, in percent, and what B - A may be."""

    a: float
    b: float
    low: float
    """Bounds of B - A in percentage points."""
    high: float

    @property
    def points(self) -> float:
        """B - A in percentage points."""
        return self.b - self.a

    @property
    def verdict(self) -> str:
        """Whether B is higher or lower than A, as far as the interval lets one say."""
        return "higher" if self.low > 0 else "lower" if self.high < 0 else "undecided"


def paired(a: Queries, b: Queries, bootstrap: Mapping[str, Any]) -> dict[str, Difference]:
    """Every metric of two runs with the paired bootstrap interval of its difference.

    Raises:
        UserError: the runs have different queries.
    """
    if not np.array_equal(a.query, b.query):
        raise UserError(
            "two runs on different queries cannot be compared",
            expected=f"the {len(a.query)} valid queries of the first run",
            found=f"{len(b.query)} valid queries",
            fix="compare two runs on one data set, each evaluated on the same split",
        )
    low, high = interval(b.matrix() - a.matrix(), **bootstrap)
    means = a.matrix().mean(axis=0), b.matrix().mean(axis=0)
    columns = zip(*(part.tolist() for part in (*means, low, high)), strict=True)
    return dict(zip(METRICS, (Difference(*column) for column in columns), strict=True))


def interval(
    values: Floats,
    *,
    samples: PositiveInt = 2000,
    confidence: Share = 0.95,
    seed: NonNegativeInt = 0,
) -> tuple[Floats, Floats]:
    """Bounds of the means of `values` (queries x metrics): two vectors, one entry per metric."""
    tail = 50 * (1 - confidence)
    low, high = np.percentile(means(values, samples, seed), [tail, 100 - tail], axis=0)
    return low, high


def means(values: Floats, samples: int, seed: int) -> Floats:
    """Means (samples x metrics) of `values` (queries x metrics) over resampled queries.

    Equal numbers of queries are resampled alike: means of two runs on one data set vary together.
    """
    draws = stream(seed, "bootstrap")
    queries, by_metric = len(values), np.ascontiguousarray(values.T)
    found = np.empty((samples, len(by_metric)))
    for mean in found:
        # How often each query is drawn. numpy's own sum, unlike BLAS, is the same on any threads.
        times = np.bincount(draws.integers(queries, size=queries), minlength=queries)
        mean[:] = (by_metric * times).sum(axis=1) / queries
    return found

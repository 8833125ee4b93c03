"""How sure a metric is: the percentile bootstrap over queries (Efron, 1979), and over seeds.

Every metric here is a mean over queries, so one resampling of the queries serves all of them. Two
runs on the same queries are compared by the mean of the differences per query, resampled likewise:
the *paired* bootstrap, far narrower than two separate intervals, for the queries that are hard for
one run are hard for the other.

Where runs were trained with several seeds, seeds and queries are both resampled: what another
training and what other queries would have given. Five seeds resampled scatter less than five new
ones would, so the deviations of their means are stretched to Student's quantile, in the spirit of
Hesterberg's expanded percentile interval, https://arxiv.org/abs/1411.5279 (his levels move, not the
deviations).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import ndtri, stdtrit

from reidpipe.errors import UserError
from reidpipe.formats.queries import METRICS, Floats, Queries
from reidpipe.runtime.settings import NonNegativeInt, PositiveInt, Share
from reidpipe.runtime.streams import stream

_QUERIES_BY_METRICS = 2


@dataclass(frozen=True)
class Difference:
    """One metric of two runs on the same queries, in percent, and what B - A may be.

    A and B are means over the seeds where both have them.
    """

    a: float
    b: float
    low: float
    """Bounds of B - A in percentage points."""
    high: float
    seeds: int = 1
    """Trainings of each that it stands on."""

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
    return paired_by_seed([a], [b], bootstrap)


def paired_by_seed(
    a: Sequence[Queries], b: Sequence[Queries], bootstrap: Mapping[str, Any]
) -> dict[str, Difference]:
    """`paired`, of two runs that were trained with the same seeds: an entry each per seed.

    Runs with one seed see the same batches, so they are compared seed by seed.

    Raises:
        UserError: the runs have different queries.
    """
    for one, other in zip(a, b, strict=True):
        _check_queries(one, other)
    before, after = (np.stack([one.matrix() for one in run]) for run in (a, b))
    low, high = interval(after - before, **bootstrap)
    means = (part.mean(axis=1).mean(axis=0) for part in (before, after))
    columns = zip(*(part.tolist() for part in (*means, low, high)), strict=True)
    found = (Difference(*column) for column in columns)
    return {name: replace(d, seeds=len(a)) for name, d in zip(METRICS, found, strict=True)}


def _check_queries(a: Queries, b: Queries) -> None:
    if not np.array_equal(a.query, b.query):
        raise UserError(
            "two runs on different queries cannot be compared",
            expected=f"the {len(a.query)} valid queries of the first run",
            found=f"{len(b.query)} valid queries",
            fix="compare two runs on one data set, each evaluated on the same split",
        )


def interval(
    values: Floats,
    *,
    samples: PositiveInt = 2000,
    confidence: Share = 0.95,
    seed: NonNegativeInt = 0,
) -> tuple[Floats, Floats]:
    """Bounds of the means of `values`: two vectors, one entry per metric.

    Args:
        values: queries x metrics, or seeds x queries x metrics.
        samples: how often they are resampled.
        confidence: of the interval.
        seed: of the resampling.
    """
    found = means(values, samples, seed)
    if values.ndim > _QUERIES_BY_METRICS:
        by_seed = values.mean(axis=-2)
        found = found.mean(axis=1) + _of_seeds(by_seed, samples, confidence, seed)
    tail = 50 * (1 - confidence)
    low, high = np.percentile(found, [tail, 100 - tail], axis=0)
    return low, high


def _of_seeds(by_seed: Floats, samples: int, confidence: float, seed: int) -> Floats:
    """How far means (seeds x metrics) of other trainings would lie off: samples x metrics."""
    count = len(by_seed)
    if count == 1:
        return np.zeros((samples, by_seed.shape[1]))
    chosen = stream(seed, "bootstrap", "seeds").integers(count, size=(samples, count))
    # From what the normal and n resampled seeds give to what Student's t and n new ones would.
    upper = (1 + confidence) / 2
    stretch = stdtrit(count - 1, upper) / ndtri(upper) * math.sqrt(count / (count - 1))
    off: Floats = stretch * (by_seed[chosen].mean(axis=1) - by_seed.mean(axis=0))
    return off


def means(values: Floats, samples: int, seed: int) -> Floats:
    """Means over resampled queries: samples x ... x metrics, of `values` (... x queries x metrics).

    Equal numbers of queries are resampled alike: means of two runs on one data set vary together.
    """
    draws = stream(seed, "bootstrap")
    queries = values.shape[-2]
    by_metric = np.ascontiguousarray(values.swapaxes(-1, -2))
    found = np.empty((samples, *by_metric.shape[:-1]))
    for mean in found:
        # How often each query is drawn. numpy's own sum, unlike BLAS, is the same on any threads.
        times = np.bincount(draws.integers(queries, size=queries), minlength=queries)
        mean[:] = (by_metric * times).sum(axis=-1) / queries
    return found

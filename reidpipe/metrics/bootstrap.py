"""How sure a metric is: the percentile bootstrap over queries (Efron, 1979).

Every metric here is a mean over queries, so one resampling of the queries serves all of them. Two
runs on the same queries are compared by the mean of the differences per query, resampled likewise:
the *paired* bootstrap, far narrower than two separate intervals, for the queries that are hard for
one run are hard for the other.
"""

import numpy as np
import numpy.typing as npt

from reidpipe.runtime.streams import stream

Floats = npt.NDArray[np.float64]


def interval(
    values: Floats, *, samples: int, confidence: float, seed: int
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

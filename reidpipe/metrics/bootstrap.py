"""How sure a figure is: the percentile bootstrap over queries (Efron, 1979).

Every figure here is a mean over queries, so one resampling of the queries serves all of them. Two
runs on the same queries are compared by the mean of the differences a query, resampled likewise:
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
    """Bounds of the means of `values` (queries x figures): two vectors, one entry a figure."""
    draws = stream(seed, "bootstrap")
    queries, by_figure = len(values), np.ascontiguousarray(values.T)
    means = np.empty((samples, len(by_figure)))
    for mean in means:
        # How often each query is drawn. numpy's own sum, unlike BLAS, is the same on any threads.
        times = np.bincount(draws.integers(queries, size=queries), minlength=queries)
        mean[:] = (by_figure * times).sum(axis=1) / queries
    tail = 50 * (1 - confidence)
    low, high = np.percentile(means, [tail, 100 - tail], axis=0)
    return low, high

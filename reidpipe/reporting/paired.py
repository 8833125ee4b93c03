"""Differences of two runs on the same queries."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from reidpipe.metrics.bootstrap import interval
from reidpipe.params import BootstrapParams
from reidpipe.reporting.published import LABELS
from reidpipe.reporting.results import Result


@dataclass(frozen=True)
class Difference:
    """Percentage points, with the bounds of the paired bootstrap interval."""

    value: float
    low: float
    high: float


class Pairs:
    """Paired bootstrap differences between runs; two runs are compared in one resampling."""

    def __init__(self, results: Mapping[str, Result], bootstrap: BootstrapParams) -> None:
        self._results = results
        self._bootstrap = bootstrap
        self._known: dict[tuple[str, str], dict[str, Difference]] = {}

    def difference(self, run: str, other: str, metric: str) -> Difference:
        """Points that `run` is above `other` in `metric`, on the queries that both could score."""
        key = run, other
        if key not in self._known:
            self._known[key] = self._computed(run, other)
        return self._known[key][metric]

    def _computed(self, run: str, other: str) -> dict[str, Difference]:
        a, b = self._results[run].ranking, self._results[other].ranking
        _, in_a, in_b = np.intersect1d(a.query, b.query, return_indices=True)
        points = np.stack([a.scores(name)[in_a] - b.scores(name)[in_b] for name in LABELS], axis=1)
        low, high = interval(points, **self._bootstrap.model_dump())
        figures = zip(LABELS, points.mean(axis=0), low, high, strict=True)
        return {name: Difference(float(v), float(a), float(b)) for name, v, a, b in figures}

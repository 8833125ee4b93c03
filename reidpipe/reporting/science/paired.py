"""Differences of two runs on the same queries."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from reidpipe.metrics.bootstrap import Difference, paired_by_seed
from reidpipe.reporting.reading.results import LEAST_SEEDS, Scores


class Pairs:
    """Paired bootstrap differences between runs; two runs are compared in one resampling.

    Over all seeds that both were trained with; else over the one training of each.
    """

    def __init__(self, results: Mapping[str, Scores], bootstrap: Mapping[str, Any]) -> None:
        self._results, self._bootstrap = results, bootstrap
        self._known: dict[tuple[str, str], dict[str, Difference]] = {}

    def seeds(self, run: str, other: str) -> list[int]:
        """The seeds that a difference of two runs stands on; none where it is of one training."""
        common = self._results[run].by_seed.keys() & self._results[other].by_seed.keys()
        return sorted(common) if len(common) >= LEAST_SEEDS else []

    def same_queries(self, run: str, other: str) -> bool:
        """Whether both were evaluated, and on the same queries."""
        if not {run, other} <= self._results.keys():
            return False
        a, b = (self._results[name].queries.query for name in (run, other))
        return np.array_equal(a, b)

    def difference(self, run: str, other: str, metric: str) -> Difference:
        """Points that `run` is above `other` in `metric`.

        Raises:
            UserError: they were evaluated on different queries.
        """
        if (run, other) not in self._known:
            seeds, both = self.seeds(run, other), [self._results[name] for name in (other, run)]
            a, b = (
                [one.by_seed[seed] for seed in seeds] if seeds else [one.queries] for one in both
            )
            self._known[run, other] = paired_by_seed(a, b, self._bootstrap)
        return self._known[run, other][metric]

"""Differences of two runs on the same queries."""

from collections.abc import Mapping
from typing import Any

from reidpipe.metrics.bootstrap import Difference, paired
from reidpipe.reporting.reading.results import Result


class Pairs:
    """Paired bootstrap differences between runs; two runs are compared in one resampling."""

    def __init__(self, results: Mapping[str, Result], bootstrap: Mapping[str, Any]) -> None:
        self._results, self._bootstrap = results, bootstrap
        self._known: dict[tuple[str, str], dict[str, Difference]] = {}

    def difference(self, run: str, other: str, metric: str) -> Difference:
        """Points that `run` is above `other` in `metric`.

        Raises:
            UserError: they were evaluated on different queries.
        """
        if (run, other) not in self._known:
            a, b = (self._results[name].ranking.queries for name in (other, run))
            self._known[run, other] = paired(a, b, self._bootstrap)
        return self._known[run, other][metric]

"""How large a difference chance alone makes: of which queries there are, and of the training.

The differences of all runs that changed are drawn again and again as they would be if nothing had
changed but chance: queries are resampled (the paired bootstrap), and the noise of training is added
as the seeds show it. One factor then widens the intervals of all runs so far that in all but a
small share of these draws *no* run and no metric lies beyond its own: the number of runs and
metrics is paid for (the single-step max-T of Westfall and Young, 1993). The mean over all runs,
which sees small losses that many runs share, has half of that share and a factor of its own: with
the others' it would pay for the long tails of single runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from reidpipe.commands.check.noise import Noise
from reidpipe.formats.queries import METRICS, Floats, Queries
from reidpipe.metrics import bootstrap

ALL = "all runs"
_ROUNDING = 1e-9
_NONE = 1e-6
"""Percentage points: what is left of no noise after arithmetic."""
_POWER = 1.2816
"""Standard errors between a limit and a loss that crosses it in nine of ten."""


@dataclass(frozen=True)
class Change:
    """A run whose metrics are not what they were."""

    run: str
    difference: Mapping[str, float]
    """New - old in percentage points, of the metrics to be judged."""
    old: Queries | None
    new: Queries | None
    """None where a side has no scores per query."""
    retrained: bool = True
    """False where both sides have the same network: then training adds no noise."""


@dataclass(frozen=True)
class Limits:
    """What may be chance, by run and metric; the mean over the runs is the run ALL."""

    error: Mapping[tuple[str, str], float]
    """Standard error of the difference, in percentage points."""
    of_runs: float
    """Standard errors from a difference to the end of its interval, in a single run."""
    of_mean: float
    """The same in the mean over them."""

    def interval(self, run: str, metric: str, difference: float) -> tuple[float, float] | None:
        """Around a difference; None where nothing is known of chance."""
        if (run, metric) not in self.error:
            return None
        reach = self._factor(run) * self.error[run, metric]
        return difference - reach, difference + reach

    def visible(self, run: str, metric: str) -> float:
        """The loss that is a regression in nine of ten, in percentage points."""
        return (self._factor(run) + _POWER) * self.error.get((run, metric), 0.0)

    def _factor(self, run: str) -> float:
        return self.of_mean if run == ALL else self.of_runs


def differences(changes: Sequence[Change]) -> dict[tuple[str, str], float]:
    """New - old by run and metric, and their means as those of the run ALL, where it is several."""
    found = {(c.run, metric): value for c in changes for metric, value in c.difference.items()}
    return found | _means(found)


def limits(
    changes: Sequence[Change], noise: Noise, params: Mapping[str, Any], false_alarms: float
) -> Limits:
    """Limits for all `changes` together.

    Args:
        changes: all that is judged at once; what is not among them did not change.
        noise: of training.
        params: samples and seed of the bootstrap over queries.
        false_alarms: share of equal pairs in which some difference may lie beyond its interval.
    """
    drawn = {change.run: _draws(change, noise, params) for change in changes}
    columns = {
        (change.run, metric): draws[:, METRICS.index(metric)]
        for change in changes
        for metric in change.difference
        if (draws := drawn[change.run]) is not None
    }
    means = _of_means(changes, noise, params)
    share = false_alarms / 2 if means else false_alarms
    runs, mean = (_error_and_factor(part, share) for part in (columns, means))
    return Limits(runs[0] | mean[0], runs[1], mean[1])


def _error_and_factor(
    columns: Mapping[tuple[str, str], Floats], share: float
) -> tuple[dict[tuple[str, str], float], float]:
    """Standard errors of draws, and the factor beyond which any of them lies in `share` of all."""
    if not columns:
        return {}, 0.0
    drawn = np.stack([*columns.values()], axis=1)
    error = drawn.std(axis=0)
    error[error < _NONE] = 0
    ratio = np.divide(-drawn, error, out=np.zeros_like(drawn), where=error > 0)
    factor = float(np.quantile(ratio.max(axis=1), 1 - share))
    return dict(zip(columns, error.tolist(), strict=True)), factor


def verdict(
    difference: float, tolerance: float, high: float | None
) -> Literal["ok", "undecided", "regression"]:
    """On one difference: what it may be at most by chance is `high`, None where nobody knows."""
    if difference >= -tolerance - _ROUNDING:
        return "ok"
    return "regression" if high is None or high < 0 else "undecided"


def _means(values: Mapping[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    """Over the runs, by metric; none of a single run."""
    by_metric: dict[str, list[float]] = {}
    for (_, metric), value in values.items():
        by_metric.setdefault(metric, []).append(value)
    return {(ALL, m): float(np.mean(own)) for m, own in by_metric.items() if len(own) > 1}


def _draws(change: Change, noise: Noise, params: Mapping[str, Any]) -> Floats | None:
    """Differences of METRICS that chance alone would make, samples x M; None if none is known."""
    parts = [resampled] if (resampled := _resampled(change, params)) is not None else []
    scatter = noise.of(change.run)
    if scatter and change.retrained:
        whole = resampled is None
        parts.append(scatter.draws(params["samples"], change.run, with_queries=whole))
    return np.sum(parts, axis=0) if parts else None


def _resampled(change: Change, params: Mapping[str, Any]) -> Floats | None:
    if change.old is None or change.new is None:
        return None
    found = change.new.matrix() - change.old.matrix()
    centred: Floats = bootstrap.means(found, params["samples"], params["seed"]) - found.mean(axis=0)
    return centred


def _of_means(
    changes: Sequence[Change], noise: Noise, params: Mapping[str, Any]
) -> dict[tuple[str, str], Floats]:
    """Draws of the means over the runs, where something is known of each of them."""
    retrained = [change.run for change in changes if change.retrained]
    scatter = noise.of_mean(retrained)
    resampled = [_resampled(change, params) for change in changes]
    found = [draws for draws in resampled if draws is not None]
    lone = any(
        draws is None and not change.retrained
        for draws, change in zip(resampled, changes, strict=True)
    )
    if len(changes) == 1 or lone or (retrained and not scatter):
        return {}
    drawn = np.zeros((params["samples"], len(METRICS)))
    if found:
        drawn += np.sum(found, axis=0) / len(changes)
    if scatter:
        whole = len(found) < len(changes)
        training = scatter.draws(params["samples"], ALL, with_queries=whole)
        drawn += training * len(retrained) / len(changes)
    metrics = dict.fromkeys(metric for change in changes for metric in change.difference)
    return {(ALL, metric): drawn[:, METRICS.index(metric)] for metric in metrics}

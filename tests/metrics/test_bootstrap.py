"""Intervals: their definition, and how often they hold."""

import numpy as np
import pytest

from reidpipe.formats.queries import Floats
from reidpipe.metrics.bootstrap import interval
from reidpipe.runtime.streams import stream


def test_equals_resampling_by_hand() -> None:
    values = np.random.default_rng(0).random((30, 2))
    draws = stream(5, "bootstrap")
    means = [values[draws.integers(30, size=30)].mean(axis=0) for _ in range(200)]
    low, high = interval(values, samples=200, confidence=0.9, seed=5)
    np.testing.assert_allclose(low, np.percentile(means, 5, axis=0))
    np.testing.assert_allclose(high, np.percentile(means, 95, axis=0))


def test_figures_share_their_draws() -> None:
    column = np.random.default_rng(1).random((50, 1))
    low, high = interval(np.hstack([column, column]), samples=100, confidence=0.95, seed=0)
    assert low[0] == low[1]
    assert high[0] == high[1]


def test_no_spread_no_width() -> None:
    low, high = interval(np.full((20, 1), 0.5), samples=50, confidence=0.95, seed=0)
    assert low == high == 0.5


def test_more_confidence_is_wider_and_another_seed_is_other() -> None:
    values = np.random.default_rng(2).random((100, 1))
    bounds = [
        interval(values, samples=400, confidence=confidence, seed=seed)
        for confidence, seed in ((0.8, 0), (0.99, 0), (0.99, 1))
    ]
    assert bounds[1][0] < bounds[0][0] < bounds[0][1] < bounds[1][1]
    assert bounds[1] != bounds[2]


def test_the_normal_interval_of_a_mean() -> None:
    values = np.random.default_rng(3).normal(10, 2, size=(2000, 1))
    low, high = interval(values, samples=4000, confidence=0.95, seed=0)
    margin = 1.96 * values.std() / np.sqrt(2000)
    np.testing.assert_allclose(
        [low[0], high[0]], values.mean() + np.array([-margin, margin]), atol=0.01
    )


@pytest.mark.slow
def test_paired_intervals_hold_as_often_as_they_say() -> None:
    """Of 1,000 pairs of runs on 300 queries, 93-97 % of the intervals hold the true difference."""
    held = np.zeros(2)
    for draw in range(1000):
        low, high = interval(two_runs(draw), samples=1000, confidence=0.95, seed=draw)
        held += (low <= TRUE_DIFFERENCE) & (high >= TRUE_DIFFERENCE)
    assert (held / 1000 >= 0.93).all(), held
    assert (held / 1000 <= 0.97).all(), held


TRUE_DIFFERENCE = np.array([0.04, 0.02])


def two_runs(draw: int) -> Floats:
    """Run B minus run A, a row per query: hit at rank 1, and AP (skewed, shared difficulty)."""
    source = np.random.default_rng(draw)
    only_b, only_a = np.array([0.09, 0.05])
    event = source.random(300)
    hits = 1.0 * (event < only_b) - (event > 1 - only_a)
    precision = 0.02 + 0.5 * (source.beta(2, 5, 300) - 2 / 7)
    return np.stack([hits, precision], axis=1)

"""Intervals: their definition, and how often they hold."""

import numpy as np
import pytest

from reidpipe.formats.queries import Floats, Queries
from reidpipe.metrics.bootstrap import interval, paired_by_seed
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


def test_paired_intervals_hold_as_often_as_they_say() -> None:
    """Of 1,000 pairs of runs on 300 queries, 93-97 % of the intervals hold the true difference."""
    pairs = np.concatenate([two_runs(draw) for draw in range(1000)], axis=1)
    low, high = (bound.reshape(1000, 2) for bound in interval(pairs, samples=1000))
    held = ((low <= TRUE_DIFFERENCE) & (high >= TRUE_DIFFERENCE)).mean(axis=0)
    assert (held >= 0.93).all(), held
    assert (held <= 0.97).all(), held


TRUE_DIFFERENCE = np.array([0.04, 0.02])


def two_runs(draw: int) -> Floats:
    """Run B minus run A, a row per query: hit at rank 1, and AP (skewed, shared difficulty)."""
    source = np.random.default_rng(draw)
    only_b, only_a = np.array([0.09, 0.05])
    event = source.random(300)
    hits = 1.0 * (event < only_b) - (event > 1 - only_a)
    precision = 0.02 + 0.5 * (source.beta(2, 5, 300) - 2 / 7)
    return np.stack([hits, precision], axis=1)


def test_one_seed_is_the_bootstrap_over_queries() -> None:
    values = np.random.default_rng(4).random((40, 2))
    np.testing.assert_array_equal(interval(values[None]), interval(values))


def test_equal_seeds_add_nothing() -> None:
    values = np.random.default_rng(5).random((40, 2))
    np.testing.assert_allclose(interval(np.stack([values] * 5)), interval(values))


def covered(seeds: int, of_seeds: float, of_queries: float, of_both: float) -> tuple[float, float]:
    """How often the 95% interval holds the true mean, over seeds and over queries alone."""
    random, trials = np.random.default_rng(6), 1000  # side by side: a trial is a metric
    values = of_seeds * random.normal(size=(seeds, 1, trials))
    values = values + of_queries * random.normal(size=(1, 100, trials))
    values = values + of_both * random.normal(size=(seeds, 100, trials))
    bounds = (interval(found, samples=1000) for found in (values, values.mean(axis=0)))
    both, queries = (float(np.mean((low <= 0) & (high >= 0))) for low, high in bounds)
    return both, queries


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("luck", [(1, 8, 5), (1, 1, 1), (0.3, 8, 3), (0, 5, 5)])
def test_few_seeds_are_enough_for_an_honest_interval(
    seeds: int, luck: tuple[float, float, float]
) -> None:
    """Trainings, queries and both together have luck. Binomial error: 0.7 points."""
    both, queries = covered(seeds, *luck)
    assert both >= 0.92
    if luck[0] >= 1:  # as if these seeds were all that there are
        assert queries < 0.92


def test_runs_of_several_seeds_are_compared_seed_by_seed() -> None:
    random = np.random.default_rng(7)

    def scored(gain: float) -> list[Queries]:
        found = []
        for base in bases:
            ap = (base + gain).clip(0, 1)
            found.append(Queries(np.arange(50), ap, ap, np.where(ap > 0.5, 1, 9)))
        return found

    bases = [random.uniform(0.1, 0.8, 50) for _ in range(4)]
    found = paired_by_seed(scored(0.0), scored(0.1), {"samples": 200})["mAP"]
    assert found.points == pytest.approx(10)
    assert (found.low, found.high) == pytest.approx((10, 10))
    assert found.a == pytest.approx(100 * np.mean(bases))

"""Paired differences of the report: by hand, as sure as asked, refused on other queries."""

from dataclasses import replace

import numpy as np
import pytest

from reidpipe.errors import UserError
from reidpipe.reporting.reading.inputs import Inputs
from reidpipe.reporting.science.paired import Pairs

A, B = "market1501-baseline", "market1501-ours"


def test_the_difference_is_that_of_the_metrics(inputs: Inputs, pairs: Pairs) -> None:
    for metric in ("rank1", "rank5", "rank10", "mAP"):
        found = pairs.difference(B, A, metric)
        a, b = (inputs.results[run].metrics[metric] for run in (A, B))
        assert (found.a, found.b) == pytest.approx((a, b))
        assert found.points == pytest.approx(b - a)


def test_other_queries_are_refused(inputs: Inputs) -> None:
    """One rule for all: the same as in `reidpipe compare`."""
    result = inputs.results[B]
    ranking = result.ranking
    fewer = replace(
        ranking,
        query=ranking.query[1:],
        average_precision=ranking.average_precision[1:],
        first_match=ranking.first_match[1:],
        inp=ranking.inp[1:],
    )
    results = {**inputs.results, B: replace(result, queries=fewer.queries)}
    with pytest.raises(UserError, match="different queries"):
        Pairs(results, {"samples": 10}).difference(B, A, "mAP")


def test_the_interval_widens_with_confidence(inputs: Inputs) -> None:
    spans = []
    for confidence in (0.5, 0.99):
        pairs = Pairs(inputs.results, {"samples": 500, "confidence": confidence})
        found = pairs.difference("market1501-ours", "market1501-se", "mAP")
        assert found.low < found.points < found.high
        spans.append(found.high - found.low)
    assert spans[0] < spans[1]


def test_by_hand(inputs: Inputs) -> None:
    """Percentiles of the means over the same resampled queries, with draws of our own."""
    pairs = Pairs(inputs.results, {"samples": 4000, "confidence": 0.9, "seed": 5})
    found = pairs.difference(B, A, "mAP")
    a, b = (inputs.results[run].ranking.average_precision for run in (A, B))
    random = np.random.default_rng(0)
    rows = random.integers(len(a), size=(4000, len(a)))
    means = 100 * (b[rows] - a[rows]).mean(axis=1)
    expected = np.percentile(means, [5, 95])
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.15 * np.ptp(expected))

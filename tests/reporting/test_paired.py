"""Paired differences against the evaluation's own comparison, and by hand."""

import numpy as np
import pytest

from reidpipe.evaluation import compare
from reidpipe.formats.ranking import read_queries
from reidpipe.params import BootstrapParams
from reidpipe.reporting.inputs import Inputs
from reidpipe.reporting.paired import Pairs
from reidpipe.reporting.results import Ranking, Result


def result(precision: list[float], query: list[int]) -> Result:
    count = len(query)
    ranking = Ranking(
        query=np.array(query),
        average_precision=np.array(precision),
        first_match=np.zeros(count, np.int64),
        top=np.zeros((count, 1), np.int64),
    )
    return Result({}, np.zeros(1), ranking)


def test_only_shared_queries_count() -> None:
    results = {"a": result([0.9, 0.5, 0.1], [0, 1, 2]), "b": result([0.2, 0.4], [1, 5])}
    difference = Pairs(results, BootstrapParams(samples=10)).difference("a", "b", "mAP")
    assert difference.value == pytest.approx(30)
    assert (difference.low, difference.high) == pytest.approx((30, 30))


def test_equal_to_the_comparison_of_the_evaluation(inputs: Inputs, pairs: Pairs) -> None:
    a, b = "market1501-baseline", "market1501-ours"
    files = [read_queries(inputs.root / f"runs/{run}/ranking.npz") for run in (a, b)]
    for found in compare(files[0], files[1], inputs.params.active.evaluate.bootstrap):
        if found.metric in ("rank1", "rank5", "rank10", "mAP"):
            ours = pairs.difference(b, a, found.metric)
            assert ours.value == pytest.approx(found.b - found.a)
            assert (ours.low, ours.high) == pytest.approx((found.low, found.high))


def test_the_interval_widens_with_confidence(inputs: Inputs) -> None:
    spans = []
    for confidence in (0.5, 0.99):
        bootstrap = BootstrapParams(samples=500, confidence=confidence)
        pairs = Pairs(inputs.results, bootstrap)
        found = pairs.difference("market1501-ours", "market1501-se", "mAP")
        assert found.low < found.value < found.high
        spans.append(found.high - found.low)
    assert spans[0] < spans[1]

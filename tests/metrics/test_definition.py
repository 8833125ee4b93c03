"""The definition against a loop that follows the protocol sentence by sentence, and sklearn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from reidpipe.metrics.definition import rank_query


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 40), st.integers(0, 10**6), st.sampled_from([1, 3, 20, 10**6]))
def test_is_the_protocol_sentence_by_sentence(images: int, seed: int, levels: int) -> None:
    source = np.random.default_rng(seed)
    distance = source.integers(levels, size=images) / np.float32(64)
    pid, camid = source.integers(5, size=images), source.integers(3, size=images)
    found = rank_query(distance, 1, 2, pid, camid)
    kept = [image for image in range(images) if not (pid[image] == 1 and camid[image] == 2)]
    order = sorted(kept, key=lambda image: (float(distance[image]), image))
    hits = [int(pid[image]) == 1 for image in order]
    if not any(hits):
        assert found is None
        return
    precisions = [sum(hits[: rank + 1]) / (rank + 1) for rank, hit in enumerate(hits) if hit]
    hardest = max(rank + 1 for rank, hit in enumerate(hits) if hit)
    assert found is not None
    assert found.order.tolist() == order
    assert found.first_match == hits.index(True)
    assert found.average_precision == pytest.approx(sum(precisions) / len(precisions), rel=1e-12)
    assert found.inp == sum(hits) / hardest
    if len(set(distance[order])) == len(order):  # sklearn gives equal scores one threshold
        average_precision = average_precision_score(pid[kept] == 1, -distance[kept])
        assert found.average_precision == pytest.approx(average_precision, rel=1e-12)

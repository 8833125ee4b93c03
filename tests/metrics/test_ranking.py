"""Ranking against its definition, sklearn, and by hand."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score
from torch import Tensor

from reidpipe.errors import UserError
from reidpipe.formats.ranking import Ranking
from reidpipe.metrics.definition import Ranked, rank_query
from reidpipe.metrics.distance import Distances, prepare_
from reidpipe.metrics.protocol import Labels, Protocol
from reidpipe.metrics.ranking import cmc, collect, parts, rank
from reidpipe.runtime.settings import Metric

Case = tuple[Tensor, Labels, Labels]


def labels(pid: Sequence[int], camid: Sequence[int]) -> Labels:
    return Labels(torch.tensor(pid), torch.tensor(camid))


def ranked(case: Case, rows: int = 1000, top_k: int = 5) -> Ranking:
    distance, query, gallery = case
    protocol = Protocol(query, gallery)
    starts = range(0, len(distance), rows)
    # Threads hand their parts in as they finish, so in any order.
    cut = ((start, distance[start : start + rows].clone()) for start in reversed(starts))
    return collect(parts(protocol.blocks(cut), top_k), protocol)


def by_definition(case: Case) -> dict[int, Ranked]:
    """What each query that has a match should get."""
    distance, queries, gallery = case
    sides = gallery.pid.numpy(), gallery.camid.numpy()
    rows = zip(distance.numpy(), queries.pid.tolist(), queries.camid.tolist(), strict=True)
    found = (rank_query(row, pid, camid, *sides) for row, pid, camid in rows)
    return {query: ranked for query, ranked in enumerate(found) if ranked}


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Few identities, cameras and distances, so that ties, junk and skipped queries abound."""
    queries, images = draw(st.integers(1, 70)), draw(st.integers(1, 40))
    seed, levels = draw(st.integers(0, 10**6)), draw(st.sampled_from([1, 3, 20, 10**6]))
    source = np.random.default_rng(seed)
    distance = torch.from_numpy(source.integers(levels, size=(queries, images)) / np.float32(64))
    sides = [
        Labels(*(torch.from_numpy(source.integers(high, size=size)) for high in (5, 3)))
        for size in (queries, images)
    ]
    return distance.float(), sides[0], sides[1]


def has_match(case: Case) -> bool:
    return bool(by_definition(case))


@settings(deadline=None, max_examples=60)
@given(cases().filter(has_match), st.integers(1, 80), st.integers(1, 50))
def test_equals_the_definition_in_any_blocks(case: Case, rows: int, top_k: int) -> None:
    assert_by_definition(case, rows, top_k)


@pytest.mark.parametrize("levels", [2, 100, 10**7])
@pytest.mark.parametrize("images", [1500, 1601])
def test_equals_the_definition_in_a_large_gallery(images: int, levels: int) -> None:
    """Large enough that the nearest are bounded by minima of groups."""
    source = np.random.default_rng(levels)
    distance = torch.from_numpy(source.integers(levels, size=(20, images)) / np.float32(64)).float()
    query, gallery = (
        Labels(*(torch.from_numpy(source.integers(high, size=size)) for high in (30, 4)))
        for size in (20, images)
    )
    assert_by_definition((distance, query, gallery), rows=20, top_k=7)


def assert_by_definition(case: Case, rows: int, top_k: int) -> None:
    found, expected = ranked(case, rows, top_k), by_definition(case)
    assert found.query.tolist() == list(expected)
    assert found.num_query == len(case[1].pid)
    for row, (query, one) in enumerate(expected.items()):
        assert found.first_match[row] == one.first_match
        assert found.average_precision[row] == pytest.approx(one.average_precision, rel=1e-12)
        assert found.inp[row] == one.inp
        shown = one.order[:top_k].tolist()
        padding = top_k - len(shown)
        assert found.top[row].tolist() == shown + [-1] * padding
        nearest = case[0][query, shown].tolist() + [np.inf] * padding
        assert found.top_distance[row].tolist() == nearest


def untied(case: Case) -> Case:
    """The same lists with distances 0, 1, 2, ..."""
    order = np.argsort(np.argsort(case[0].numpy(), axis=1, kind="stable"), axis=1)
    return torch.from_numpy(order).float(), case[1], case[2]


@settings(deadline=None, max_examples=30)
@given(cases().filter(has_match))
def test_average_precision_is_sklearns_without_ties(case: Case) -> None:
    # sklearn gives tied images one common threshold; the protocol ranks each by its index.
    distance, queries, gallery = untied(case)
    found = ranked((distance, queries, gallery))
    for row, query in enumerate(found.query):
        same = gallery.pid == queries.pid[query]
        kept = ~(same & (gallery.camid == queries.camid[query]))
        expected = average_precision_score(same[kept], -distance[query][kept])
        assert found.average_precision[row] == pytest.approx(expected, rel=1e-12)


@settings(deadline=None, max_examples=30)
@given(cases().filter(has_match))
def test_order_of_an_untied_gallery_does_not_matter(case: Case) -> None:
    distance, query, gallery = untied(case)
    order = torch.randperm(distance.shape[1], generator=torch.Generator().manual_seed(1))
    moved = distance[:, order], query, Labels(gallery.pid[order], gallery.camid[order])
    a, b = ranked((distance, query, gallery)), ranked(moved)
    np.testing.assert_array_equal(a.average_precision, b.average_precision)
    np.testing.assert_array_equal(a.inp, b.inp)
    np.testing.assert_array_equal(a.top_distance, b.top_distance)


@settings(deadline=None, max_examples=30)
@given(cases().filter(has_match), st.integers(0, 2))
def test_junk_and_scale_change_nothing(case: Case, camid: int) -> None:
    distance, query, gallery = case
    query = Labels(query.pid, torch.full_like(query.camid, camid))
    if not has_match((distance, query, gallery)):
        return
    extra = labels(list(range(5)), [camid] * 5)
    more = Labels(torch.cat([extra.pid, gallery.pid]), torch.cat([extra.camid, gallery.camid]))
    # A query's own identity under its camera is junk; for other queries these are distractors,
    # so they go to the end of the lists.
    far = torch.where(query.pid[:, None] == extra.pid, 0.0, 1e9)
    a = ranked((distance, query, gallery))
    b = ranked((torch.cat([far, distance], dim=1) * 8, query, more))
    np.testing.assert_array_equal(a.query, b.query)
    np.testing.assert_array_equal(a.first_match, b.first_match)
    np.testing.assert_array_equal(a.average_precision, b.average_precision)
    np.testing.assert_array_equal(a.inp, b.inp)


def test_worked_example() -> None:
    # Query: person 1 under camera 1. The list without junk (image 0):
    #   image 3 (person 2), 1 (match), 4 (distractor), 2 (match), so ranks 2 and 4 of 4.
    # Person 7 is in no gallery image; person 2's only image is under the query's camera.
    distance = torch.tensor([[0.0, 0.3, 0.9, 0.1, 0.5]] * 3)
    gallery = labels([1, 1, 1, 2, 0], [1, 2, 3, 2, 4])
    found = ranked((distance, labels([7, 1, 2], [1, 1, 2]), gallery))
    assert found.query.tolist() == [1]
    assert found.first_match.tolist() == [1]
    assert found.average_precision.tolist() == [(1 / 2 + 2 / 4) / 2]
    assert found.inp.tolist() == [2 / 4]
    assert found.top.tolist() == [[3, 1, 4, 2, -1]]
    assert found.num_query == 3
    assert cmc(found, 4).tolist() == [0, 1, 1, 1]


def test_ties_go_to_the_lower_gallery_index() -> None:
    gallery = labels([2, 1, 2, 1, 2], [2, 2, 2, 2, 2])
    found = ranked((torch.zeros(1, 5), labels([1], [1]), gallery))
    assert found.top.tolist() == [[0, 1, 2, 3, 4]]
    assert found.average_precision.tolist() == [(1 / 2 + 2 / 4) / 2]


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_duplicated_features_stand_together_in_order_of_index(metric: Metric) -> None:
    """Every gallery image twice, 40 places apart: a pair differs in nothing but its index."""
    source = torch.Generator().manual_seed(0)
    query, gallery = (torch.randn(rows, 24, generator=source) for rows in (9, 40))
    gallery = prepare_(gallery.repeat(2, 1), metric, "gallery")
    pid, camid = torch.arange(80) % 5, torch.arange(80) % 3 + 1
    distances = Distances(prepare_(query, metric, "query"), gallery, metric)
    protocol = Protocol(labels([0, 1, 2, 3, 4] * 2, [0] * 10)[:9], Labels(pid, camid))
    found = rank(protocol.blocks(distances.blocks(distances.firsts)), protocol, top_k=80)
    first, second = found.top[:, ::2], found.top[:, 1::2]
    np.testing.assert_array_equal(first + 40, second)
    assert (np.sort(first, axis=1) == np.arange(40)).all()


def test_cmc_counts_valid_queries() -> None:
    distance = torch.tensor([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1], [0.1, 0.2, 0.3]])
    found = ranked((distance, labels([1, 1, 9], [1, 1, 1]), labels([1, 3, 4], [2, 2, 2])))
    assert cmc(found, 3).tolist() == [0.5, 0.5, 1]


@pytest.mark.parametrize(
    ("query", "gallery", "counts"),
    [
        (labels([1, 2], [1, 1]), labels([1, 2, 3], [1, 1, 1]), "2 of them"),
        (labels([1, 2], [1, 2]), labels([3, 4, 3], [1, 2, 2]), "0 of them"),
    ],
)
def test_no_match_at_all_is_an_error(query: Labels, gallery: Labels, counts: str) -> None:
    with pytest.raises(UserError, match="no query has a true match") as error:
        ranked((torch.zeros(2, 3), query, gallery))
    assert counts in error.value.details["found"]
    cameras = {*query.camid.tolist(), *gallery.camid.tolist()}
    assert f"{len(cameras)} camera(s)" in error.value.details["found"]

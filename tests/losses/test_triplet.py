"""Batch-hard triplet: mining, invariances, margins, edge cases."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reidpipe.errors import UserError
from reidpipe.losses.triplet import batch_hard, hardest

batch = st.tuples(st.integers(2, 5), st.integers(2, 4), st.integers(0, 10**6))


def draw(identities: int, images: int, seed: int) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    labels = torch.arange(identities).repeat_interleave(images)
    return torch.randn(len(labels), 8, dtype=torch.float64, generator=random), labels


def hardest_by_loops(feature: Tensor, labels: Tensor) -> tuple[list[float], list[float]]:
    positives, negatives = [], []
    for a in range(len(labels)):
        distances = [math.dist(feature[a].tolist(), other.tolist()) for other in feature]
        same = [i for i in range(len(labels)) if labels[i] == labels[a] and i != a]
        other = [i for i in range(len(labels)) if labels[i] != labels[a]]
        positives.append(max(distances[i] for i in same))
        negatives.append(min(distances[i] for i in other))
    return positives, negatives


@settings(deadline=None)
@given(batch)
def test_hardest_are_those_of_loops(shape: tuple[int, int, int]) -> None:
    feature, labels = draw(*shape)
    d_ap, d_an = hardest(feature, labels)
    positives, negatives = hardest_by_loops(feature, labels)
    assert d_ap.tolist() == pytest.approx(positives)
    assert d_an.tolist() == pytest.approx(negatives)


@settings(deadline=None)
@given(batch, st.sampled_from([0.3, 2.0, "soft"]))
def test_order_of_the_batch_does_not_matter(
    shape: tuple[int, int, int], margin: float | str
) -> None:
    feature, labels = draw(*shape)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(shape[2]))
    losses = [
        batch_hard(f, y, margin=margin)  # type: ignore[arg-type]
        for f, y in ((feature, labels), (feature[order], labels[order]))
    ]
    torch.testing.assert_close(*losses)


def test_by_hand() -> None:
    """On a line: identity 0 at 0 and 1, identity 1 at 3 and 7."""
    feature = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    labels = torch.tensor([0, 0, 1, 1])
    d_ap, d_an = hardest(feature, labels)
    assert d_ap.tolist() == [1, 1, 4, 4]
    assert d_an.tolist() == [3, 2, 2, 6]
    assert batch_hard(feature, labels, margin=0.5).item() == pytest.approx(2.5 / 4)
    soft = sum(math.log1p(math.exp(d)) for d in (-2, -1, 2, -2)) / 4
    assert batch_hard(feature, labels, margin="soft").item() == pytest.approx(soft)


def test_separated_identities_cost_nothing_and_pull_nowhere() -> None:
    feature = torch.tensor([[0.0], [0.1], [9.0], [9.1]], requires_grad=True)
    loss = batch_hard(feature, torch.tensor([0, 0, 1, 1]), margin=0.3)
    assert loss.item() == 0
    assert not torch.autograd.grad(loss, feature)[0].any()


def test_equal_images_have_finite_gradients() -> None:
    """An identity with one image is sampled K times: its positives are at distance 0."""
    feature = torch.ones(4, 8, requires_grad=True)
    loss = batch_hard(feature, torch.tensor([0, 0, 1, 1]), margin=0.3)
    assert loss.item() == pytest.approx(0.3)
    assert torch.autograd.grad(loss, feature)[0].isfinite().all()


def test_small_distances_of_long_features_are_exact() -> None:
    """|a|^2 + |b|^2 - 2ab would be noise here in float32, and mine by chance."""
    feature = torch.full((6, 2048), 100.0)
    feature[:, 0] += torch.tensor([0.0, 0.01, 0.03, 0.06, 0.10, 0.15])
    d_ap, d_an = hardest(feature, torch.tensor([0, 0, 0, 1, 1, 1]))
    assert d_ap.tolist() == pytest.approx([0.03, 0.02, 0.03, 0.09, 0.05, 0.09], rel=0.01)
    assert d_an.tolist() == pytest.approx([0.06, 0.05, 0.03, 0.03, 0.07, 0.12], rel=0.01)


@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [0, 0, 0, 1], [0, 1, 2, 3]])
def test_batches_without_triplets_are_refused(labels: list[int]) -> None:
    with pytest.raises(UserError, match="no triplet"):
        batch_hard(torch.randn(4, 2), torch.tensor(labels), margin=0.3)

"""ROC figures against scikit-learn on all pairs, within the error that they state."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score, roc_curve

from reidpipe.errors import UserError
from reidpipe.metrics.protocol import Labels, Protocol
from reidpipe.metrics.verification import Pairs

QUERIES, IMAGES = 60, 400


def pairs_and_truth(seed: int, levels: int | None) -> tuple[Pairs, torch.Tensor, torch.Tensor]:
    """Counted pairs, and the distances and truth of all pairs without junk."""
    source = torch.Generator().manual_seed(seed)
    query, gallery = (
        Labels(*(torch.randint(high, (size,), generator=source) for high in (20, 4)))
        for size in (QUERIES, IMAGES)
    )
    same = query.pid[:, None] == gallery.pid
    distance = torch.rand(QUERIES, IMAGES, generator=source) * torch.where(same, 0.6, 1.0) + 0.1
    if levels is not None:
        distance = (distance * levels).round() / levels
    kept = ~(same & (query.camid[:, None] == gallery.camid))
    pairs = Pairs(torch.device("cpu"))
    parts = ((first, distance[first : first + 7].clone()) for first in range(0, QUERIES, 7))
    assert sum(len(block.row) for block in pairs.counted(Protocol(query, gallery).blocks(parts)))
    return pairs, distance[kept], same[kept]


@pytest.mark.parametrize("seed", [0, 1])
def test_auc_is_sklearns_within_its_error(seed: int) -> None:
    pairs, distance, same = pairs_and_truth(seed, None)
    value, error = pairs.roc_auc()
    assert abs(value - roc_auc_score(same, -distance)) <= error + 1e-12
    assert error < 1e-4


@pytest.mark.parametrize("levels", [8, 64])
def test_true_ties_count_half_as_in_sklearn(levels: int) -> None:
    pairs, distance, same = pairs_and_truth(2, levels)
    assert pairs.roc_auc()[0] == pytest.approx(roc_auc_score(same, -distance), abs=1e-12)


@pytest.mark.parametrize("fpr", [1e-4, 1e-3, 1e-2, 0.3])
@pytest.mark.parametrize("seed", [0, 1])
def test_tpr_is_sklearns_within_its_error(seed: int, fpr: float) -> None:
    pairs, distance, same = pairs_and_truth(seed, None)
    rates, found, _ = roc_curve(same, -distance, drop_intermediate=False)
    exact = found[rates <= fpr].max()
    value, error = pairs.tpr_at_fpr(fpr)
    assert value - 1e-12 <= exact <= value + error + 1e-12
    assert error < 0.01


@pytest.mark.parametrize("fpr", [1e-4, 1e-3, 1e-2, 0.3])
@pytest.mark.parametrize("levels", [None, 8, 64])
def test_the_distance_keeps_to_the_rate_and_accepts_what_tpr_says(
    levels: int | None, fpr: float
) -> None:
    pairs, distance, same = pairs_and_truth(3, levels)
    near = distance < pairs.distance_at_fpr(fpr)
    assert near[~same].double().mean() <= fpr
    assert near[same].double().mean() == pytest.approx(pairs.tpr_at_fpr(fpr)[0], abs=1e-12)


def test_perfect_separation() -> None:
    query, gallery = (
        Labels(torch.tensor([1]), torch.tensor([1])),
        Labels(torch.tensor([1, 1, 2, 3]), torch.tensor([1, 2, 1, 2])),
    )
    pairs = Pairs(torch.device("cpu"))
    blocks = Protocol(query, gallery).blocks([(0, torch.tensor([[0.9, 0.1, 0.5, 0.6]]))])
    assert len(list(pairs.counted(blocks))) == 1
    assert pairs.roc_auc() == (1, 0)
    assert pairs.tpr_at_fpr(1e-4) == (1, 0)
    assert 0.4999 < pairs.distance_at_fpr(1e-4) <= 0.5
    assert int(pairs.positive.sum()) == 1
    assert int(pairs.all.sum()) == 4


def test_a_bin_that_breaks_the_rate_is_not_accepted() -> None:
    query = Labels(torch.tensor([1]), torch.tensor([1]))
    gallery = Labels(torch.tensor([1, 1, 2, 3]), torch.tensor([2, 3, 1, 2]))
    pairs = Pairs(torch.device("cpu"))
    distance = torch.tensor([[0.1, 0.5, 0.5, 0.9]])
    list(pairs.counted(Protocol(query, gallery).blocks([(0, distance)])))
    assert pairs.tpr_at_fpr(0.4) == (0.5, 0.5)
    assert pairs.tpr_at_fpr(0.5) == (1, 0)


def test_reversed_separation() -> None:
    query = Labels(torch.tensor([1]), torch.tensor([1]))
    gallery = Labels(torch.tensor([1, 2, 3]), torch.tensor([2, 1, 2]))
    pairs = Pairs(torch.device("cpu"))
    list(pairs.counted(Protocol(query, gallery).blocks([(0, torch.tensor([[0.9, 0.5, 0.0]]))])))
    assert pairs.roc_auc()[0] == 0
    assert np.isclose(pairs.tpr_at_fpr(0.5)[0], 0)


def test_no_negative_pair_is_an_error() -> None:
    query, gallery = (Labels(torch.tensor([1]), torch.tensor([camid])) for camid in (1, 2))
    pairs = Pairs(torch.device("cpu"))
    list(pairs.counted(Protocol(query, gallery).blocks([(0, torch.tensor([[0.9]]))])))
    with pytest.raises(UserError, match="no negative pair"):
        pairs.roc_auc()

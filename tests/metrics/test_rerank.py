"""Re-ranking against a dense reference, written from the paper's Eq. 2-12, one image at a time."""

import numpy as np
import numpy.typing as npt
import pytest
import torch

from reidpipe.metrics.distance import Distances, prepare_
from reidpipe.metrics.rerank import Reranked
from reidpipe.runtime.settings import Metric

Matrix = npt.NDArray[np.float64]


def dense(original: Matrix, queries: int, k1: int, k2: int, weight: float) -> Matrix:
    """Re-ranked queries x gallery distances from all N x N original ones."""
    images = len(original)
    original = original / original.max(axis=1, keepdims=True)
    order = np.argsort(original, axis=1, kind="stable")

    def reciprocal(p: int, k: int) -> set[int]:
        return {int(g) for g in order[p, : k + 1] if p in order[g, : k + 1]}

    description = np.zeros((images, images))
    for p in range(images):
        own = reciprocal(p, k1)
        expanded = set(own)
        for q in own:
            half = reciprocal(q, round(k1 / 2))
            if len(own & half) > 2 / 3 * len(half):
                expanded |= half
        members = sorted(expanded)
        closeness = np.exp(-original[p, members])
        description[p, members] = closeness / closeness.sum()
    description = np.stack([description[order[p, :k2]].mean(axis=0) for p in range(images)])
    jaccard = np.empty((images, images))
    for p in range(images):
        smaller = np.minimum(description[p], description).sum(axis=1)
        larger = np.maximum(description[p], description).sum(axis=1)
        jaccard[p] = 1 - smaller / larger
    mixed: Matrix = weight * original + (1 - weight) * jaccard
    return mixed[:queries, queries:]


def embeddings(images: int, dims: int, seed: int) -> torch.Tensor:
    """Clustered, so that reciprocal sets are neither empty nor everything."""
    source = torch.Generator().manual_seed(seed)
    centre = torch.randn(max(1, images // 6), dims, generator=source)
    own = torch.randint(len(centre), (images,), generator=source)
    return centre[own] + 0.8 * torch.randn(images, dims, generator=source)


def whole(distances: Distances | Reranked) -> Matrix:
    parts = [block.clone() for _, block in distances.blocks(distances.firsts)]
    return torch.cat(parts).double().numpy()


def both(embedding: torch.Tensor, queries: int, metric: Metric, **options: float) -> list[Matrix]:
    embedding = prepare_(embedding.clone(), metric, "query")
    original = whole(Distances(embedding, embedding, metric))
    k1, k2, weight = int(options["k1"]), int(options["k2"]), options["weight"]
    found = whole(Reranked(embedding, queries, metric, 64, k1=k1, k2=k2, weight=weight))
    return [found, dense(original, queries, k1, k2, weight)]


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize(
    ("images", "queries", "options"),
    [
        (300, 70, {"k1": 20, "k2": 6, "weight": 0.3}),
        (300, 299, {"k1": 7, "k2": 1, "weight": 0.0}),
        (150, 5, {"k1": 9, "k2": 4, "weight": 0.8}),
        (12, 4, {"k1": 20, "k2": 6, "weight": 0.3}),
    ],
)
def test_equals_the_dense_reference(
    metric: Metric, images: int, queries: int, options: dict[str, float]
) -> None:
    embedding = embeddings(images, 16, seed=images)
    found, expected = both(embedding, queries, metric, **options)
    np.testing.assert_allclose(found, expected, atol=2e-6)
    # The reference itself re-ranks: its order is not the original one.
    assert expected.std() > 0.01


def test_duplicates_are_told_apart_by_index() -> None:
    embedding = embeddings(40, 8, seed=3).repeat(3, 1)
    found, expected = both(embedding, 30, "cosine", k1=10, k2=3, weight=0.3)
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_weight_one_is_the_original_order() -> None:
    embedding = prepare_(embeddings(80, 8, seed=4), "cosine", "query")
    plain = whole(Distances(embedding[:20], embedding[20:], "cosine"))
    found = whole(Reranked(embedding, 20, "cosine", 1, k1=5, k2=2, weight=1.0))
    np.testing.assert_array_equal(found.argsort(kind="stable"), plain.argsort(kind="stable"))


def test_equal_images_are_no_division_by_zero() -> None:
    embedding = prepare_(embeddings(1, 8, seed=5).repeat(9, 1), "euclidean", "query")
    found = whole(Reranked(embedding, 3, "euclidean", 1, k1=4, k2=2, weight=0.3))
    assert np.isfinite(found).all()

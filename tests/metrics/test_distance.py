"""Distances: right to float64, and the same bits whatever the blocks, threads and neighbours."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from reidpipe.errors import UserError
from reidpipe.metrics.distance import (
    MAX_TILE_G,
    TILE_Q,
    Distances,
    pairwise,
    prepare_,
    tile_width,
)
from reidpipe.runtime.settings import Metric

METRICS: tuple[Metric, ...] = ("cosine", "euclidean")


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def random(rows: int, dims: int, seed: int) -> Tensor:
    return torch.randn(rows, dims, generator=torch.Generator().manual_seed(seed))


def full(query: Tensor, gallery: Tensor, metric: Metric) -> Tensor:
    query = prepare_(query.clone(), metric, "query")
    gallery = prepare_(gallery.clone(), metric, "gallery")
    distances = Distances(query, gallery, metric)
    return torch.cat([block.clone() for _, block in distances.blocks(distances.firsts)])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("queries", "images"), [(1, 1), (3, 700), (TILE_Q + 5, MAX_TILE_G + 77)])
def test_equals_float64(metric: Metric, queries: int, images: int) -> None:
    query, gallery = random(queries, 96, 0), random(images, 96, 1)
    found = full(query, gallery, metric)
    a, b = query.double(), gallery.double()
    if metric == "cosine":
        expected = 1 - torch.cosine_similarity(a[:, None], b[None], dim=2, eps=0)
    else:
        expected = torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist").square()
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dims", [1, 7, 63, 512])
def test_bits_depend_on_the_two_embeddings_alone(metric: Metric, dims: int) -> None:
    query, gallery = random(2 * TILE_Q + 9, dims, 2), random(2 * MAX_TILE_G + 77, dims, 3)
    torch.set_num_threads(1)
    expected = full(query, gallery, metric)
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        assert torch.equal(full(query, gallery, metric), expected)
        assert torch.equal(full(query[-5:], gallery, metric), expected[-5:])
        assert torch.equal(full(query, gallery[:33], metric), expected[:, :33])
        some = torch.randperm(len(gallery), generator=torch.Generator().manual_seed(threads))
        assert torch.equal(full(query, gallery[some], metric), expected[:, some])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("images", [5, 33, 257, 3000, MAX_TILE_G + 1])
def test_equal_embeddings_tie_exactly(metric: Metric, images: int) -> None:
    found = full(random(9, 33, 4), random(1, 33, 5).repeat(images, 1), metric)
    assert torch.equal(found, found[:, :1].expand_as(found))


@pytest.mark.parametrize("metric", METRICS)
def test_an_image_is_at_no_negative_distance_from_itself(metric: Metric) -> None:
    both = random(300, 64, 6)
    diagonal = full(both, both, metric).diagonal()
    assert (diagonal >= 0).all()
    assert not diagonal.signbit().any()


@pytest.mark.parametrize("metric", METRICS)
def test_pairwise_equals_blocks(metric: Metric) -> None:
    a, b = (prepare_(random(40, 64, seed), metric, "query") for seed in (7, 8))
    torch.testing.assert_close(pairwise(a, b, metric), full(a, b, metric).diagonal())


def test_any_blocks_in_any_order() -> None:
    query, gallery = random(3 * TILE_Q + 7, 8, 0), random(50, 8, 1)
    distances = Distances(query, gallery, "euclidean")
    assert list(distances.firsts) == [0, TILE_Q, 2 * TILE_Q, 3 * TILE_Q]
    expected = full(query, gallery, "euclidean")
    for first, block in distances.blocks([2 * TILE_Q, 3 * TILE_Q, 0]):
        assert torch.equal(block, expected[first : first + TILE_Q])


def test_blocks_at_a_time_keep_to_the_memory() -> None:
    distances = Distances(random(5, 8, 0), random(4096, 8, 1), "cosine")
    block_mb = TILE_Q * 4096 * 4 // 2**20
    found = [distances.at_a_time(size) for size in (1, block_mb, 2 * block_mb - 1, 3 * block_mb)]
    assert found == [1, 1, 1, 3]


@pytest.mark.parametrize("images", [1, 2047, 2049, 4097, 15913, 19281, 82161, 93820])
def test_tiles_cover_the_gallery_with_little_overlap(images: int) -> None:
    width = tile_width(images)
    tiles = -(-images // width)
    assert width % 64 == 0
    assert 2048 <= width <= 4096
    assert tiles * width - images < max(2048, 64 * tiles)


@pytest.mark.parametrize(
    ("row", "value", "what"),
    [
        (3, torch.nan, "not finite"),
        (3, torch.inf, "not finite"),
        (3, 3e38, "not finite"),
        (3, 0.0, "zero"),
    ],
)
def test_bad_rows_are_counted_and_named(row: int, value: float, what: str) -> None:
    embedding = random(6, 4, 0)
    embedding[[row, 5]] = value
    with pytest.raises(UserError, match=what) as error:
        prepare_(embedding, "cosine", "gallery")
    assert error.value.details["found"] == "2 of 6 rows, the first 3, 5"
    assert error.value.what.startswith("gallery")


def test_a_zero_embedding_has_a_euclidean_distance() -> None:
    assert full(torch.zeros(1, 4), torch.ones(1, 4), "euclidean").item() == 4


def test_no_images_is_an_error() -> None:
    with pytest.raises(UserError, match="no gallery images"):
        prepare_(torch.empty(0, 4), "cosine", "gallery")


def test_different_dimensions_is_an_error() -> None:
    with pytest.raises(UserError, match="differ in length") as error:
        Distances(torch.ones(2, 4), torch.ones(3, 5), "cosine")
    assert "4" in error.value.details["expected"]
    assert "5" in error.value.details["found"]

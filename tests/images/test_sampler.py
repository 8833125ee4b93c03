"""P x K batches: every promise of the sampler's docstring, on any labels."""

import io
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from reidpipe.errors import UserError
from reidpipe.images.images import Images
from reidpipe.images.sampler import batches, shuffled
from reidpipe.runtime.streams import stream
from reidpipe.systems import recipe as recipe_of
from reidpipe.training.batches import Batch, TrainingSet


@st.composite
def cases(draw: st.DrawFn) -> tuple[NDArray[np.int64], int, int]:
    """Labels of 2 to 12 identities with 1 to 9 images each, shuffled; P and K that fit."""
    counts = draw(st.lists(st.integers(1, 9), min_size=2, max_size=12))
    labels = draw(st.permutations(np.repeat(np.arange(len(counts)) * 3, counts).tolist()))
    identities = draw(st.integers(1, len(counts)))
    return np.array(labels, dtype=np.int64), identities, draw(st.integers(1, 5))


@settings(deadline=None, max_examples=50)
@given(cases(), st.integers(0, 1000), st.integers(0, 50))
def test_promises(case: tuple[NDArray[np.int64], int, int], seed: int, epoch: int) -> None:
    labels, identities, images = case
    epoch_batches = batches(labels, identities=identities, images=images, seed=seed, epoch=epoch)
    visits: Counter[int] = Counter()
    for batch in epoch_batches:
        assert batch.dtype == np.int64
        assert batch.shape == (identities * images,)
        runs = labels[batch].reshape(identities, images)
        assert (runs == runs[:, :1]).all(), "K rows of one identity stand together"
        assert len(set(runs[:, 0].tolist())) == identities, "P different identities"
        visits.update(runs[:, 0].tolist())
        for run in batch.reshape(identities, images):
            available = int((labels == labels[run[0]]).sum())
            assert len(set(run.tolist())) == min(images, available)
    assert set(visits) == set(labels.tolist()), "every identity at least once"
    assert max(visits.values()) - min(visits.values()) <= 2


@settings(deadline=None)
@given(cases(), st.integers(0, 1000))
def test_an_epoch_is_as_long_as_one_over_the_images(
    case: tuple[NDArray[np.int64], int, int], seed: int
) -> None:
    labels, identities, images = case
    count = len(batches(labels, identities=identities, images=images, seed=seed, epoch=0))
    enough = -(-len(set(labels.tolist())) // identities)
    assert count == max(enough, round(len(labels) / (identities * images)))


LABELS = np.repeat(np.arange(20), 6)
SHAPE = {"identities": 4, "images": 3}


def test_seed_and_epoch_alone_decide() -> None:
    first, again, other_epoch, other_seed = (
        np.concatenate(batches(LABELS, **SHAPE, seed=seed, epoch=epoch))
        for seed, epoch in ((0, 0), (0, 0), (0, 1), (1, 0))
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other_epoch)
    assert not np.array_equal(first, other_seed)


def test_order_and_images_differ_between_epochs() -> None:
    """Not only the images: the identities that meet in a batch change too."""
    meetings = {
        frozenset(LABELS[batch].tolist())
        for epoch in range(5)
        for batch in batches(LABELS, **SHAPE, seed=0, epoch=epoch)
    }
    assert len(meetings) > 30


def test_all_images_are_used_in_the_long_run() -> None:
    rows = [np.concatenate(batches(LABELS, **SHAPE, seed=0, epoch=epoch)) for epoch in range(20)]
    assert set(np.concatenate(rows).tolist()) == set(range(len(LABELS)))


def assert_repeats_look_different(epoch: list[Batch]) -> None:
    """An image that comes twice is flipped, cropped or erased otherwise, as a new one would be."""
    looks: dict[int, list[bytes]] = {}
    for batch in epoch:
        for index, image, box in zip(batch.indices, batch.images, batch.boxes, strict=True):
            looks.setdefault(int(index), []).append(image.numpy().tobytes() + bytes(box.tolist()))
    repeated = [own for own in looks.values() if len(own) > 1]
    assert repeated
    assert sum(len(set(own)) for own in repeated) > 0.9 * sum(map(len, repeated))


@pytest.mark.parametrize("cache_mb", [0, 1])
def test_any_number_of_workers_gives_the_same_batches(tmp_path: Path, cache_mb: int) -> None:
    """Images as they reach the network: sampled, read, augmented."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for row in range(len(LABELS)):
            buffer = io.BytesIO()
            pixels = stream(0, "pixels", row).integers(0, 256, (12, 6, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(buffer, "PNG")
            archive.writestr(f"{row}.png", buffer.getvalue())
    names = [f"{row}.png" for row in range(len(LABELS))]
    images = Images(tmp_path / "a.zip", names, (12, 6), cache_mb)
    recipe = recipe_of("ours", {"image_size": (12, 6), "epochs": 4, **SHAPE})

    def served(workers: int) -> list[Batch]:
        """From the second batch of the third epoch to the end of the run, the fourth."""
        data = TrainingSet(images, LABELS, recipe, 0, workers)
        with data.batches(2, 1, recipe.epochs, torch.device("cpu")) as found:
            return list(found)

    alone, one, two = (served(workers) for workers in (0, 1, 2))
    assert_repeats_look_different(alone[-len(batches(LABELS, **SHAPE, seed=0, epoch=3)) :])
    third, fourth = (batches(LABELS, **SHAPE, seed=0, epoch=epoch) for epoch in (2, 3))
    expected = [*third[1:], *fourth]
    assert [batch.indices.tolist() for batch in alone] == [rows.tolist() for rows in expected]
    for batch in alone:
        assert batch.labels.tolist() == LABELS[batch.indices].tolist()
    for other in (one, two):
        for a, b in zip(alone, other, strict=True):
            assert np.array_equal(a.indices, b.indices)
            assert all(torch.equal(x, y) for x, y in zip(a[:3], b[:3], strict=True))


def test_too_few_identities() -> None:
    with pytest.raises(UserError) as caught:
        batches(LABELS, identities=21, images=2, seed=0, epoch=0)
    assert caught.value.details["expected"].startswith("at most 20")
    assert caught.value.details["found"] == "21"


@given(st.integers(2, 40), st.integers(2, 40), st.integers(0, 3))
def test_shuffled_batches_have_each_image_once_at_most(count: int, size: int, epoch: int) -> None:
    if count < size:
        with pytest.raises(UserError, match="too few images"):
            shuffled(count, size, seed=0, epoch=epoch)
        return
    found = shuffled(count, size, seed=0, epoch=epoch)
    assert [len(batch) for batch in found] == [size] * (count // size)
    rows = np.concatenate(found).tolist()
    assert len(set(rows)) == len(rows)
    assert set(rows) <= set(range(count))


def test_each_epoch_and_seed_shuffles_otherwise() -> None:
    orders = {
        tuple(np.concatenate(shuffled(30, 7, seed=seed, epoch=epoch)).tolist())
        for seed in range(3)
        for epoch in range(3)
    }
    assert len(orders) == 9
    left_out = {tuple(sorted(set(range(30)) - set(order))) for order in orders}
    assert len(left_out) > 5, "not always the same images are left out"

"""Augmentation: what is drawn, what becomes of the pixels, and that nothing else decides it."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reidpipe.images.transforms import MEAN, STD, augment, draw, erase, erased_box, normalise
from reidpipe.runtime.streams import stream

NOTHING: Mapping[str, Any] = {"flip": 0.0, "pad": 0, "erase": 0.0, "largest": 0.4}


def augmented(
    batch: torch.Tensor,
    places: Sequence[int],
    options: Mapping[str, Any],
    *,
    seed: int = 0,
    epoch: int = 0,
) -> torch.Tensor:
    """What the network sees."""
    crops, boxes = augment(batch, places, seed, epoch, **options)
    assert crops.dtype == torch.uint8
    return erase(normalise(crops), boxes)


def images(count: int, height: int = 12, width: int = 8) -> torch.Tensor:
    pixels = stream(0, "test images").integers(0, 256, (count, 3, height, width))
    return torch.from_numpy(pixels.astype(np.uint8))


def test_normalise_is_the_formula() -> None:
    batch = images(2)
    expected = (batch.double() / 255 - torch.tensor(MEAN).double().view(1, 3, 1, 1)) / torch.tensor(
        STD
    ).double().view(1, 3, 1, 1)
    torch.testing.assert_close(normalise(batch).double(), expected, rtol=1e-5, atol=1e-5)


EXPORTED_FIRST = """
import torch
from reidpipe.images.transforms import normalise

class Normalised(torch.nn.Module):
    def forward(self, images):
        return normalise(images)

images = torch.zeros(1, 3, 4, 2, dtype=torch.uint8)
torch.export.export(Normalised(), (images,))
assert float(normalise(images).max()) < 0
"""


def test_an_exporter_that_came_first_leaves_nothing_behind() -> None:
    """It computes with tensors without numbers: none of them may be kept for later."""
    subprocess.run([sys.executable, "-c", EXPORTED_FIRST], check=True)


def test_with_nothing_to_do_images_are_only_normalised() -> None:
    batch = images(3)
    got = augmented(batch, range(3), NOTHING)
    assert torch.equal(got, normalise(batch))


def test_a_certain_flip_mirrors() -> None:
    batch = images(3)
    params = {**NOTHING, "flip": 1.0}
    got = augmented(batch, range(3), params)
    assert torch.equal(got, normalise(batch.flip(3)))


def test_a_crop_is_a_window_of_the_padded_image() -> None:
    params = {**NOTHING, "pad": 2}
    batch = images(20)
    got = augmented(batch, range(20), params, seed=3, epoch=1)
    for index in range(20):
        chance = draw((12, 8), stream(3, "augment", 1, index), **params)
        padded = torch.zeros(3, 16, 12, dtype=torch.uint8)
        padded[:, 2:14, 2:10] = batch[index]
        window = padded[:, chance.top : chance.top + 12, chance.left : chance.left + 8]
        assert torch.equal(got[index], normalise(window[None])[0])


def test_erasing_sets_one_box_to_the_mean_colour() -> None:
    params = {**NOTHING, "erase": 1.0}
    batch = images(20)
    got = augmented(batch, range(20), params)
    whole = normalise(batch)
    for index in range(20):
        box = draw((12, 8), stream(0, "augment", 0, index), **params).erased
        assert box is not None
        top, left, tall, wide = box
        expected = whole[index].clone()
        expected[:, top : top + tall, left : left + wide] = 0
        assert torch.equal(got[index], expected)


@given(st.integers(0, 1000))
def test_an_erased_box_is_inside_and_of_the_published_area(seed: int) -> None:
    height, width = 256, 128
    box = erased_box(stream(seed, "box"), (height, width), 0.4)
    assert box is not None
    top, left, tall, wide = box
    assert 0 <= top <= height - tall
    assert 0 <= left <= width - wide
    share = tall * wide / (height * width)
    assert 0.019 < share < 0.41  # sides are rounded to pixels
    assert 0.29 < tall / wide < 3.4


def test_erased_areas_are_spread_over_the_published_range() -> None:
    size = (256, 128)
    boxes = [erased_box(stream(number, "areas"), size, 0.4) for number in range(2000)]
    shares = np.array([box[2] * box[3] / (size[0] * size[1]) for box in boxes if box])
    # Uniform between 0.02 and 0.4, but for large boxes that do not fit and are drawn again.
    assert np.quantile(shares, 0.02) < 0.04
    assert np.quantile(shares, 0.98) > 0.35
    assert 0.15 < np.median(shares) < 0.22


def test_a_growing_box_begins_as_none_and_ends_as_the_largest() -> None:
    params = {**NOTHING, "erase": 1.0, "largest": 0.3, "growing": 10}
    batch = images(200, 64, 32)
    areas = []
    for epoch in (0, 2, 5, 9, 10, 30):
        _, boxes = augment(batch, range(200), 0, epoch, **params)
        areas.append(float((boxes[:, 2] * boxes[:, 3]).max()) / (64 * 32))
    assert areas[0] == 0
    assert areas[:5] == sorted(areas[:5])
    bounds = (0.06, 0.15, 0.27, 0.3, 0.3)
    assert all(
        0.8 * bound < area < 1.1 * bound for area, bound in zip(areas[1:], bounds, strict=True)
    )


def test_a_place_of_the_epoch_decides_alone_what_happens_to_its_image() -> None:
    batch, params = images(6), {"flip": 0.5, "pad": 2, "erase": 0.5}
    whole = augmented(batch, range(6), params, seed=1, epoch=2)
    order = [4, 0, 5]
    part = augmented(batch[order], order, params, seed=1, epoch=2)
    assert torch.equal(part, whole[order])
    assert not torch.equal(augmented(batch, range(6), params, seed=1, epoch=3), whole)


@pytest.mark.parametrize(("name", "expected"), [("flip", 0.5), ("erase", 0.3)])
def test_chances_come_as_often_as_they_are_said(name: str, expected: float) -> None:
    streams = (stream(0, "augment", 0, place) for place in range(2000))
    draws = [draw((64, 32), random, flip=0.5, pad=10, erase=0.3, largest=0.4) for random in streams]
    happened = [d.flip if name == "flip" else d.erased is not None for d in draws]
    assert np.mean(happened) == pytest.approx(expected, abs=0.04)
    corners = {d.top for d in draws}
    assert corners == set(range(21))

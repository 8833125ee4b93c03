"""Colour histograms against counting by hand."""

import colorsys

import numpy as np

from reidpipe.evaluation import histograms as histogram
from reidpipe.runtime.streams import stream

IMAGES = stream(0, "histogram images").integers(0, 256, (3, 9, 4, 3)).astype(np.uint8)


def test_rgb_counts_each_pixel_once() -> None:
    expected = np.zeros((3, 512))
    for number, image in enumerate(IMAGES):
        for red, green, blue in image.reshape(-1, 3).astype(int):
            expected[number, (red // 32) * 64 + (green // 32) * 8 + blue // 32] += 1 / 36
    np.testing.assert_allclose(histogram.rgb(IMAGES), expected, atol=1e-7)


def test_hsv_counts_each_stripe_by_the_middle_of_the_colour_cell() -> None:
    expected = np.zeros((3, 3, 8, 4, 4))
    for number, image in enumerate(IMAGES):
        for row in range(9):
            for pixel in image[row].astype(int):
                red, green, blue = ((pixel // 32) + 0.5) / 8
                hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
                bins = min(int(hue * 8), 7), min(int(saturation * 4), 3), min(int(value * 4), 3)
                expected[(number, row // 3, *bins)] += 1 / 36
    np.testing.assert_allclose(histogram.hsv(IMAGES), expected.reshape(3, -1), atol=1e-7)


def test_a_histogram_knows_stripes_only_where_it_is_told() -> None:
    upside_down = IMAGES[:, ::-1]
    np.testing.assert_array_equal(histogram.rgb(IMAGES), histogram.rgb(upside_down))
    assert not np.array_equal(histogram.hsv(IMAGES), histogram.hsv(upside_down))


def test_an_image_is_most_like_itself() -> None:
    for features in (histogram.rgb(IMAGES), histogram.hsv(IMAGES)):
        roots = histogram.hellinger(features)
        similarity = roots @ roots.T
        np.testing.assert_allclose(np.diag(similarity), 1, rtol=1e-6)
        assert (similarity.argmax(axis=1) == np.arange(3)).all()

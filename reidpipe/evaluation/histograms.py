"""Colour histograms: what re-identification can do without learning anything.

A data set on which these come near a trained network asks for colours, not for people.
"""

import colorsys
from functools import cache

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
"""N x H x W x 3."""
Features = NDArray[np.float32]
"""N x D; rows are non-negative and sum to 1."""

STRIPES = 3
_LEVELS = 8
_HSV_BINS = (8, 4, 4)


def rgb(images: Images) -> Features:
    """Joint histogram of 8 x 8 x 8 colours over each whole image: N x 512."""
    return _histograms(_cells(images), _LEVELS**3)


def hsv(images: Images) -> Features:
    """Histograms of 8 hues x 4 saturations x 4 values in three horizontal stripes: N x 384."""
    bins = _hsv_bins()[_cells(images)]
    stripes = np.array_split(bins, STRIPES, axis=1)
    parts = [_histograms(stripe, int(np.prod(_HSV_BINS))) for stripe in stripes]
    return np.concatenate(parts, axis=1) / np.float32(STRIPES)


def hellinger(features: Features) -> Features:
    """Square roots: their dot product is the Bhattacharyya coefficient of two histograms."""
    return np.sqrt(features)


def _cells(images: Images) -> NDArray[np.intp]:
    """Number of each pixel's colour among the 8 x 8 x 8: N x H x W."""
    levels = (images // (256 // _LEVELS)).astype(np.intp)
    cells: NDArray[np.intp] = levels @ np.array([_LEVELS**2, _LEVELS, 1])
    return cells


@cache
def _hsv_bins() -> NDArray[np.intp]:
    """HSV bin of the middle of each of the 512 RGB cells."""
    middles = (np.indices((_LEVELS,) * 3).reshape(3, -1).T + 0.5) / _LEVELS
    hsv_of = np.array([colorsys.rgb_to_hsv(*map(float, middle)) for middle in middles])
    hue, saturation, value = np.minimum(hsv_of * _HSV_BINS, np.array(_HSV_BINS) - 1).astype(int).T
    return np.asarray((hue * _HSV_BINS[1] + saturation) * _HSV_BINS[2] + value, dtype=np.intp)


def _histograms(bins: NDArray[np.intp], count: int) -> Features:
    """Share of each image's pixels in each of `count` bins: N x count."""
    number = len(bins)
    flat = bins.reshape(number, -1)
    rows = np.arange(number)[:, None] * count
    totals = np.bincount((flat + rows).ravel(), minlength=number * count)
    return (totals.reshape(number, count) / flat.shape[1]).astype(np.float32)

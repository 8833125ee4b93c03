"""Resizing and cropping by matrices, against torch's own."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from reidpipe.layers.sampling import cut_out, resampled, shrunk, stretched

SIZES = [((7, 5), (12, 14)), ((20, 8), (6, 7)), ((8, 4), (8, 4)), ((3, 3), (1, 6))]


def pictures(size: tuple[int, int]) -> torch.Tensor:
    random = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, *size, dtype=torch.float64, generator=random)


@pytest.mark.parametrize(("size", "out"), SIZES)
def test_stretching_keeps_the_corners(size: tuple[int, int], out: tuple[int, int]) -> None:
    rows, columns = (stretched(before, after) for before, after in zip(size, out, strict=True))
    expected = F.interpolate(pictures(size), out, mode="bilinear", align_corners=True)
    torch.testing.assert_close(resampled(pictures(size), rows, columns), expected)


@pytest.mark.parametrize("size", [(64, 32), (9, 7), (10, 8)])
@pytest.mark.parametrize("ratio", [0.75, 0.5, 0.3, 1.0])
def test_shrinking_is_antialiased(size: tuple[int, int], ratio: float) -> None:
    out = (round(size[0] * ratio), round(size[1] * ratio))
    rows, columns = (shrunk(before, after) for before, after in zip(size, out, strict=True))
    expected = F.interpolate(pictures(size), out, mode="bilinear", antialias=True)
    torch.testing.assert_close(resampled(pictures(size), rows, columns), expected)
    if ratio == 1:
        torch.testing.assert_close(expected, pictures(size))


@pytest.mark.parametrize("scale", [0.25, 1.0])
def test_cutting_out_is_the_sampling_of_torch(scale: float) -> None:
    x, shift = pictures((10, 4)), torch.tensor([[0.3, -0.6], [-1.0, 0.9]], dtype=torch.float64)
    theta = torch.zeros(2, 2, 3, dtype=torch.float64)
    theta[:, 0, 0], theta[:, 1, 1], theta[:, :, 2] = 1.0, scale, shift
    grid = F.affine_grid(theta, [2, 3, 10, 4], align_corners=False)
    expected = F.grid_sample(x, grid, align_corners=False)
    rows = cut_out(10, 10, scale, shift[:, 1])
    columns = cut_out(4, 4, 1.0, shift[:, 0])
    torch.testing.assert_close(resampled(x, rows, columns), expected)


def test_the_whole_in_the_middle_is_the_map() -> None:
    middle = torch.zeros(2, dtype=torch.float64)
    rows, columns = cut_out(6, 6, 1.0, middle), cut_out(5, 5, 1.0, middle)
    torch.testing.assert_close(resampled(pictures((6, 5)), rows, columns), pictures((6, 5)))


def test_where_a_region_lies_has_a_gradient() -> None:
    shift = torch.tensor([0.1], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: cut_out(6, 4, 0.25, t), (shift,))

"""Resized and cropped maps as products with small matrices, a dimension at a time.

An output pixel is a weighted mean of input pixels, and the weights of rows and columns are
independent: Y = R X C^T. torch's own sampling has gradients that are not deterministic on a GPU.
A weight is max(0, 1 - |s_i - j|), the linear interpolation at the place s_i; what lies outside of
the map is zero.
"""

import torch
from torch import Tensor


def stretched(count: int, out: int) -> Tensor:
    """[out, count], float64: the first and the last pixel stay where they are."""
    place = torch.arange(out, dtype=torch.float64) * (count - 1) / max(out - 1, 1)
    return linear(place, count)


def cut_out(count: int, out: int, scale: float, shift: Tensor) -> Tensor:
    """[..., out, count]: the part around `shift` [...], `scale` of the whole wide.

    Both are in halves of the map, with the middle at 0; pixels are areas, not points (what torch
    calls not aligned corners).
    """
    own = (2 * torch.arange(out, dtype=shift.dtype, device=shift.device) + 1) / out - 1
    place = ((scale * own + shift[..., None] + 1) * count - 1) / 2
    return linear(place, count)


def shrunk(count: int, out: int) -> Tensor:
    """[out, count], float64: each pixel the weighted mean of all that it covers (antialiased)."""
    step = count / out
    place = (torch.arange(out, dtype=torch.float64) + 0.5) * step - 0.5
    weights = linear(place / step, count, 1 / step)
    return weights / weights.sum(1, keepdim=True)


def linear(place: Tensor, count: int, step: float = 1.0) -> Tensor:
    """Weights [..., count] of the pixels at 0, step, 2 step ... for what lies at `place` [...]."""
    pixels = torch.arange(count, dtype=place.dtype, device=place.device) * step
    return (1 - (place[..., None] - pixels).abs()).relu()


def moved(weights: Tensor, like: Tensor) -> Tensor:
    """With the type and on the device of `like`; a GPU is not waited for."""
    return weights.to(like.dtype).to(like.device, non_blocking=True)


def resampled(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """[B, C, H, W] -> [B, C, h, w]; rows [h, H] or [B, h, H], columns [w, W] or [B, w, W]."""
    # Channels last: one product an image, and not one a channel.
    x = images.permute(0, 2, 3, 1)
    x = (moved(rows, x) @ x.flatten(2)).unflatten(2, x.shape[2:])  # type: ignore[no-untyped-call]
    found: Tensor = moved(columns, x).unsqueeze(-3) @ x
    return found.permute(0, 3, 1, 2)

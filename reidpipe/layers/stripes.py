"""Horizontal stripes of a feature map (PCB, https://arxiv.org/abs/1711.09349, section 3.2)."""

from typing import Literal

from torch import Tensor

from reidpipe.errors import UserError
from reidpipe.runtime.machine import single


def stripes(feature_map: Tensor, parts: int, pool: Literal["mean", "max"] = "mean") -> Tensor:
    """Of `parts` equal stripes: [B, C, H, W] -> [B, C, parts], from the top; float32 or more.

    Without torch's adaptive pooling, whose gradient is not deterministic on a GPU.

    Raises:
        UserError: the rows of the map do not divide among the parts.
    """
    batch, channels, height, width = feature_map.shape
    if height % parts:
        raise UserError(
            "the feature map cannot be cut into equal stripes",
            where="params.yaml: systems: image_size, parts",
            expected=f"a map whose height is a multiple of {parts}",
            found=f"{height} rows",
            fix="a height of the images of 16 times that",
        )
    rows = feature_map.reshape(batch, channels, parts, height // parts, width)
    kind = single(feature_map.dtype)
    return rows.mean((3, 4), dtype=kind) if pool == "mean" else rows.amax((3, 4)).to(kind)

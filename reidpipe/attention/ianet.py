"""Interaction-and-Aggregation Network for Person Re-identification, Hou et al., CVPR 2019.

https://arxiv.org/abs/1907.08435. Two blocks without convolutions. Over the N = H x W positions of
x [C, N], SIA, the spatial one:

    S = softmax_j(x_i . x_j / sqrt(C))                                appearance
    L = softmax_j(-(dx^2 / (2 a_x^2) + dy^2 / (2 a_y^2)))             location, dx, dy in cells
    y_i = sum_j F_ij x_j,    F_ij = S_ij L_ij / sum_j S_ij L_ij       `relation: product`
                             F_ij = softmax_j(S_ij L_ij)              `relation: softmax`

with a_x and a_y 0.625 of the width and the height, then over the channels, CIA, the other one:

    A = softmax_c'(sum_i x_ci x_c'i),    y_c = sum_c' A_cc' x_c'

Each ends with BN(y) + x, whose gamma and beta start at 0: both start as the identity.

Where the paper could not be read this is its authors' code (blue-blue272/ImgReID-IAnet, e104e28)
but for one thing. There F is the softmax of a product that is at most 1, so that at 256x128 no
weight of a row is 1.5% above another whatever the features are: SIA is a plain average then. The
default, `product`, is what the text asks for, the same part of the body nearby; not verified.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from reidpipe.runtime.machine import in_full, single

PLACE = "ends"
SPREAD = 0.625
"""The deviation of the location's weights, in heights and widths."""


class Spatial(nn.Module):
    """SIA: [B, C, H, W] -> [B, C, H, W]."""

    def __init__(self, channels: int, relation: str) -> None:
        super().__init__()
        self.relation = relation
        self.bn = nn.BatchNorm2d(channels)

    def start(self, generator: torch.Generator) -> None:  # noqa: ARG002
        """Gamma at 0."""
        nn.init.zeros_(self.bn.weight)

    def affinity(self, x: Tensor) -> Tensor:
        """F [B, N, N]: row i weighs the positions j."""
        flat = x.flatten(2)
        appearance = (flat.mT @ flat * x.shape[1] ** -0.5).softmax(2)
        product: Tensor = appearance * location(x.shape[2], x.shape[3]).to(x.dtype).to(
            x.device, non_blocking=True
        )
        if self.relation == "softmax":
            return product.softmax(2)
        return product / product.sum(2, keepdim=True)

    def forward(self, x: Tensor) -> Tensor:
        full = _full(x)
        with in_full(x.device):
            y = full.flatten(2) @ self.affinity(full).mT
        out: Tensor = self.bn(y.view(x.shape)) + x
        return out


class Channel(nn.Module):
    """CIA: [B, C, H, W] -> [B, C, H, W]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels)

    def start(self, generator: torch.Generator) -> None:  # noqa: ARG002
        """Gamma at 0."""
        nn.init.zeros_(self.bn.weight)

    def affinity(self, x: Tensor) -> Tensor:
        """A [B, C, C]: row c weighs the channels c'."""
        flat = x.flatten(2)
        return (flat @ flat.mT).softmax(2)

    def forward(self, x: Tensor) -> Tensor:
        # Sums over all positions, unscaled: bfloat16 would make the softmax pick one at random.
        full = _full(x)
        with in_full(x.device):
            y = self.affinity(full) @ full.flatten(2)
        out: Tensor = self.bn(y.view(x.shape)) + x
        return out


class Attention(nn.Module):
    """SIA, then CIA: [B, C, H, W] -> [B, C, H, W]."""

    def __init__(
        self, channels: int, *, relation: Literal["product", "softmax"] = "product"
    ) -> None:
        super().__init__()
        self.spatial = Spatial(channels, relation)
        self.channel = Channel(channels)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.channel(self.spatial(x))
        return out


def location(height: int, width: int) -> Tensor:
    """L [N, N], float64: a softmax of a sum is the product of those of its terms."""
    return torch.kron(_near(height), _near(width))


def _near(count: int) -> Tensor:
    place = torch.arange(count, dtype=torch.float64)
    return (-((place[:, None] - place) ** 2) / (2 * (SPREAD * count) ** 2)).softmax(1)


def _full(x: Tensor) -> Tensor:
    return x.to(single(x.dtype))

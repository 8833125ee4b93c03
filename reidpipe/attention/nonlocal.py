"""Non-local Neural Networks, Wang et al., https://arxiv.org/abs/1711.07971.

    y_i = 1 / C(x) sum_j f(x_i, x_j) g(x_j)                 (1), i and j over the H x W positions
    f = exp(theta(x_i) . phi(x_j)), C(x) = sum_j f          (3), `embedded`: a softmax over j
    f = theta(x_i) . phi(x_j),      C(x) = H W              (4), `dot`
    z_i = BN(W_z y_i) + x_i                                 (6), BN as in section 4.1

theta, phi, g and W_z are 1 x 1 convolutions. Gamma and beta of the batch norm start at 0: the
block starts as the identity.

Deviations. No pooling of phi and g (an economy of section 3.3) and no scaling of f by the root of
the channels (the paper's code). FastReID has the dot form with one inner channel, which its own
arithmetic (`reduc_ratio // reduc_ratio`) gives by a slip: `form: dot, inner: one` rebuilds it. The
default is the paper's: embedded, half of the channels.
"""
# ruff: noqa: N999  # the name of the file is the value of the parameter

from typing import Literal

import torch
from torch import Tensor, nn

PLACE = "stages"


class Attention(nn.Module):
    """Every position sees every other: [B, C, H, W] -> [B, C, H, W]."""

    def __init__(
        self,
        channels: int,
        *,
        inner: Literal["half", "one"] = "half",
        form: Literal["embedded", "dot"] = "embedded",
    ) -> None:
        super().__init__()
        width = channels // 2 if inner == "half" else 1
        self.theta = nn.Conv2d(channels, width, 1)
        self.phi = nn.Conv2d(channels, width, 1)
        self.g = nn.Conv2d(channels, width, 1)
        self.z = nn.Conv2d(width, channels, 1)
        self.bn = nn.BatchNorm2d(channels)
        self.form = form

    def start(self, generator: torch.Generator) -> None:
        """Gamma at 0; maps of deviation 0.01, as in the paper's code.

        By the rule of the backbone's convolutions the softmax would start, and stay, one-hot.
        """
        nn.init.zeros_(self.bn.weight)
        for conv in (self.theta, self.phi, self.g, self.z):
            nn.init.normal_(conv.weight, std=0.01, generator=generator)

    def affinity(self, x: Tensor) -> Tensor:
        """Return f / C(x) of equation 1, [B, HW, HW]: row i weighs the positions j."""
        theta = self.theta(x).flatten(2).transpose(1, 2)
        scores: Tensor = theta @ self.phi(x).flatten(2)
        return scores.softmax(2) if self.form == "embedded" else scores / scores.shape[2]

    def forward(self, x: Tensor) -> Tensor:
        y = self.g(x).flatten(2) @ self.affinity(x).transpose(1, 2)
        z: Tensor = self.z(y.view(*y.shape[:2], *x.shape[2:]))
        out: Tensor = self.bn(z) + x
        return out

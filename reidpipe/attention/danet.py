"""Dual Attention Network for Scene Segmentation, Fu et al., https://arxiv.org/abs/1809.02983.

Position branch, over the N = H x W positions, with 1 x 1 convolutions B, C (to C/r channels), D:

    s_ji = exp(B_i . C_j) / sum_i exp(B_i . C_j)            (1)
    E_j = alpha sum_i s_ji D_i + A_j                        (2)

Channel branch, over the C channels of A itself:

    x_ji = exp(m_j - A_j . A_i) / sum_i exp(m_j - A_j . A_i),  m_j = max_i A_j . A_i     (3)
    E_j = beta sum_i x_ji A_i + A_j                         (4)

alpha and beta are learned from 0.

Deviations. Equation 3 as printed has exp(A_i . A_j); the paper's code, whose results the paper
reports, takes the row maximum minus the product, so that the least similar channels weigh most,
and so do we. The paper adds the two outputs, each after convolutions of its segmentation head; we
have no such head and keep one A in the sum, A + alpha (..) + beta (..), so that the module starts
as the identity. FastReID has no dual attention.
"""

import torch
from torch import Tensor, nn

from reidpipe.attention import reduced
from reidpipe.runtime.machine import in_full, single
from reidpipe.runtime.settings import PositiveInt

PLACE = "top"


class Position(nn.Module):
    """sum_i s_ji D_i of equation 2: [B, C, H, W] -> [B, C, H, W]."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        width = reduced(channels, reduction)
        self.b = nn.Conv2d(channels, width, 1)
        self.c = nn.Conv2d(channels, width, 1)
        self.d = nn.Conv2d(channels, channels, 1)

    def start(self, generator: torch.Generator) -> None:
        """As the paper's code leaves them; larger maps would start with a one-hot softmax."""
        for conv in (self.b, self.c, self.d):
            bound = conv.weight[0].numel() ** -0.5
            nn.init.uniform_(conv.weight, -bound, bound, generator=generator)

    def affinity(self, a: Tensor) -> Tensor:
        """Return s of equation 1, [B, N, N]: row j weighs the positions i."""
        b, c = self.b(a).flatten(2), self.c(a).flatten(2)
        return torch.softmax(c.transpose(1, 2) @ b, dim=2)

    def forward(self, a: Tensor) -> Tensor:
        out: Tensor = self.d(a).flatten(2) @ self.affinity(a).transpose(1, 2)
        return out.view(a.shape)


class Channel(nn.Module):
    """sum_i x_ji A_i of equation 4: [B, C, H, W] -> [B, C, H, W]; no parameters."""

    def affinity(self, a: Tensor) -> Tensor:
        """Return x of equation 3, [B, C, C]: row j weighs the channels i."""
        # The products are not scaled: in bfloat16 their differences would drown.
        with in_full(a.device):
            flat = a.flatten(2).to(single(a.dtype))
            product = flat @ flat.transpose(1, 2)
            return torch.softmax(-product, dim=2)  # m_j cancels

    def forward(self, a: Tensor) -> Tensor:
        return (self.affinity(a) @ a.flatten(2)).view(a.shape)


class Attention(nn.Module):
    """Both branches around one shortcut: [B, C, H, W] -> [B, C, H, W]."""

    def __init__(self, channels: int, *, reduction: PositiveInt = 8) -> None:
        super().__init__()
        self.position = Position(channels, reduction)
        self.channel = Channel()
        self.alpha = nn.Parameter(torch.zeros(()))
        self.beta = nn.Parameter(torch.zeros(()))

    def start(self, generator: torch.Generator) -> None:  # noqa: ARG002
        """Both scales at 0."""
        nn.init.zeros_(self.alpha)
        nn.init.zeros_(self.beta)

    def forward(self, a: Tensor) -> Tensor:
        out: Tensor = a + self.alpha * self.position(a) + self.beta * self.channel(a)
        return out

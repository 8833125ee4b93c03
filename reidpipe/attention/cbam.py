"""CBAM: Convolutional Block Attention Module, Woo et al., https://arxiv.org/abs/1807.06521.

    F' = M_c(F) F,  F'' = M_s(F') F'                                            (1)
    M_c(F) = sigmoid(MLP(mean over H x W of F) + MLP(max over H x W of F))      (2)
    M_s(F) = sigmoid(conv_kxk([mean over C of F; max over C of F]))             (3)

The MLP is W1 relu(W0 .), shared by both poolings; k is 7.

Deviations. As in the paper's code, and unlike equation 3, the spatial convolution is without bias
and has a batch norm whose gamma starts at 0, so that M_s starts at one half everywhere; its
momentum is torch's 0.1 where that code has 0.01, too slow for short runs. The planes are in the
order of equation 3 (the code stacks the maximum first: the same function, with the kernel's planes
exchanged). The MLP's biases, present in that code, absent from equation 2 and from timm, and the
order of the two gates (section 4.1 compares them) are options. FastReID has no CBAM.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from reidpipe.attention import reduced
from reidpipe.runtime.settings import PositiveInt

PLACE = "block"


class ChannelGate(nn.Module):
    """M_c of equation 2: [B, C, H, W] -> [B, C, 1, 1] in (0, 1)."""

    def __init__(self, channels: int, reduction: int, *, bias: bool) -> None:
        super().__init__()
        hidden = reduced(channels, reduction)
        self.mlp = nn.Sequential(
            nn.Linear(channels, hidden, bias=bias),
            nn.ReLU(),
            nn.Linear(hidden, channels, bias=bias),
        )

    def forward(self, x: Tensor) -> Tensor:
        # amax, not AdaptiveMaxPool2d, whose backward is not deterministic on CUDA.
        both = self.mlp(x.mean((2, 3))) + self.mlp(x.amax((2, 3)))
        return torch.sigmoid(both)[:, :, None, None]


class SpatialGate(nn.Module):
    """M_s of equation 3: [B, C, H, W] -> [B, 1, H, W] in (0, 1)."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(1)

    def start(self, generator: torch.Generator) -> None:  # noqa: ARG002
        """Gamma at 0, as in the paper's code."""
        nn.init.zeros_(self.bn.weight)

    def forward(self, x: Tensor) -> Tensor:
        pooled = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], dim=1)
        return torch.sigmoid(self.bn(self.conv(pooled)))


class Attention(nn.Module):
    """Channel gate, then spatial gate (or the reverse): [B, C, H, W] -> [B, C, H, W]."""

    def __init__(
        self,
        channels: int,
        *,
        reduction: PositiveInt = 16,
        kernel: Literal[3, 7] = 7,
        bias: bool = False,
        order: Literal["channel-spatial", "spatial-channel"] = "channel-spatial",
    ) -> None:
        super().__init__()
        self.channel = ChannelGate(channels, reduction, bias=bias)
        self.spatial = SpatialGate(kernel)
        self.order = order

    def forward(self, x: Tensor) -> Tensor:
        gates = [self.channel, self.spatial]
        for gate in gates if self.order == "channel-spatial" else reversed(gates):
            x = x * gate(x)
        return x

"""ECA-Net, Wang et al., https://arxiv.org/abs/1910.03151.

    w = sigmoid(conv1d_k(mean over H x W of x))     (9), one kernel for all channels
    k = |log2(C) / gamma + b / gamma|_odd           (12), the nearest odd number

Deviations. None from the paper's code, whose truncation, then rounding up to odd, is the nearest
odd number with ties going up: k = 3 for C = 64, 5 for 128 to 1024, 7 for 2048. timm never goes
below k = 3, which gamma = 2 and b = 1 do not reach either. FastReID has no ECA.
"""

import math

from torch import Tensor, nn

from reidpipe.runtime.settings import NonNegativeInt, PositiveInt

PLACE = "block"


def kernel_size(channels: int, *, gamma: int = 2, b: int = 1) -> int:
    """Width k of the convolution over channels, equation 12."""
    whole = int(abs(math.log2(channels) + b) / gamma)
    return whole if whole % 2 else whole + 1


class Attention(nn.Module):
    """Channel gate [B, C, H, W] -> [B, C, H, W] with k parameters."""

    def __init__(self, channels: int, *, gamma: PositiveInt = 2, b: NonNegativeInt = 1) -> None:
        super().__init__()
        k = kernel_size(channels, gamma=gamma, b=b)
        self.conv = nn.Conv1d(1, 1, k, padding=k // 2, bias=False)

    def gate(self, x: Tensor) -> Tensor:
        """Weights of equation 9, [B, C, 1, 1], in (0, 1)."""
        w: Tensor = self.conv(x.mean((2, 3))[:, None, :]).sigmoid()  # channels as a sequence
        return w[:, 0, :, None, None]

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)

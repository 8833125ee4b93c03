"""Squeeze-and-Excitation Networks, Hu et al., https://arxiv.org/abs/1709.01507.

    z_c = mean over H x W of u_c                    (2)
    s = sigmoid(W2 relu(W1 z))                      (3)
    x_c = s_c u_c                                   (4)

W1 is C/r x C and W2 is C x C/r.

Deviations. The biases of the two maps are an option, off by default: the paper's ablations
(section 6) and FastReID leave them out; the released models and timm have them.
"""

from torch import Tensor, nn

from reidpipe.attention import reduced
from reidpipe.runtime.settings import PositiveInt

PLACE = "block"


class Attention(nn.Module):
    """Channel gate [B, C, H, W] -> [B, C, H, W]."""

    def __init__(self, channels: int, *, reduction: PositiveInt = 16, bias: bool = False) -> None:
        super().__init__()
        hidden = reduced(channels, reduction)
        self.squeeze = nn.Linear(channels, hidden, bias=bias)
        self.excite = nn.Linear(hidden, channels, bias=bias)

    def gate(self, x: Tensor) -> Tensor:
        """Weights s of equation 3, [B, C, 1, 1], in (0, 1)."""
        s: Tensor = self.excite(self.squeeze(x.mean((2, 3))).relu()).sigmoid()
        return s[:, :, None, None]

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)

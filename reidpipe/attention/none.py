"""No attention: the plain network of the baseline rows."""

from torch import nn

PLACE = "top"


class Attention(nn.Identity):
    """[B, C, H, W] -> the same tensor."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

"""What most networks are made of."""

from torch import nn


def convolution(
    channels: int, out: int, kernel: int = 1, stride: int = 1, *, bias: bool = False
) -> nn.Sequential:
    """Convolution, batch norm, ReLU: [B, C, H, W] -> [B, out, H', W'], of H over the stride."""
    conv = nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=bias)
    return nn.Sequential(conv, nn.BatchNorm2d(out), nn.ReLU(inplace=True))

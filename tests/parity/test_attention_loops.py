"""Dual attention and the dot non-local block against their equations, one position at a time."""

from importlib import import_module

import pytest
import torch
from torch import Tensor, nn

from reidpipe.attention.danet import Attention as DualAttention
from tests.parity.compare import assert_same, draw, randomise

NonLocal = import_module("reidpipe.attention.nonlocal").Attention
each_dtype = pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
SHAPE = (2, 8, 3, 2)


def softmax(scores: list[Tensor]) -> list[Tensor]:
    powers = [score.exp() for score in scores]
    return [power / sum(powers) for power in powers]


def columns(feature_map: Tensor) -> list[Tensor]:
    """The vectors [C] at the H x W positions of [C, H, W]."""
    return [feature_map[:, i, j] for i in range(SHAPE[2]) for j in range(SHAPE[3])]


def as_map(vectors: list[Tensor]) -> Tensor:
    return torch.stack(vectors, dim=1).view(SHAPE[1:])


class DualAttentionLoops(nn.Module):
    """Equations 1 to 4 of 1809.02983, the channel branch as in its authors' code."""

    def __init__(self, reduction: int) -> None:
        super().__init__()
        channels = SHAPE[1]
        self.b = nn.Conv2d(channels, channels // reduction, 1)
        self.c = nn.Conv2d(channels, channels // reduction, 1)
        self.d = nn.Conv2d(channels, channels, 1)
        self.alpha = nn.Parameter(torch.zeros(()))
        self.beta = nn.Parameter(torch.zeros(()))

    def position(self, a: Tensor) -> Tensor:
        b, c, d = (columns(conv(a[None])[0]) for conv in (self.b, self.c, self.d))
        out = []
        for j in range(len(c)):
            s_j = softmax([b_i @ c[j] for b_i in b])
            out.append(sum((s * d_i for s, d_i in zip(s_j, d, strict=True)), torch.zeros(())))
        return as_map(out)

    def channel(self, a: Tensor) -> Tensor:
        rows = [channel.flatten() for channel in a]
        out = []
        for a_j in rows:
            products = [a_j @ a_i for a_i in rows]
            largest = torch.stack(products).max()
            x_j = softmax([largest - product for product in products])
            out.append(sum((x * a_i for x, a_i in zip(x_j, rows, strict=True)), torch.zeros(())))
        return torch.stack(out).view(SHAPE[1:])

    def forward(self, x: Tensor) -> Tensor:
        images = [a + self.alpha * self.position(a) + self.beta * self.channel(a) for a in x]
        return torch.stack(images)


class DotLoops(nn.Module):
    """Equations 1, 4 and 6 of 1711.07971 with the batch norm of its section 4.1."""

    def __init__(self, width: int) -> None:
        super().__init__()
        channels = SHAPE[1]
        self.theta, self.phi, self.g = (nn.Conv2d(channels, width, 1) for _ in range(3))
        self.z = nn.Conv2d(width, channels, 1)
        self.bn = nn.BatchNorm2d(channels)

    def response(self, x: Tensor) -> Tensor:
        theta, phi, g = (columns(conv(x[None])[0]) for conv in (self.theta, self.phi, self.g))
        y = [
            sum(((t @ p) * v for p, v in zip(phi, g, strict=True)), torch.zeros(())) / len(phi)
            for t in theta
        ]
        return torch.stack(y, dim=1).view(-1, *SHAPE[2:])

    def forward(self, x: Tensor) -> Tensor:
        y = torch.stack([self.response(image) for image in x])
        out: Tensor = self.bn(self.z(y)) + x
        return out


@each_dtype
@pytest.mark.parametrize("reduction", [2, 8])
def test_dual_attention(reduction: int, dtype: torch.dtype) -> None:
    ours, theirs = DualAttention(SHAPE[1], reduction=reduction), DualAttentionLoops(reduction)
    randomise(ours)
    names = {name: name.removeprefix("position.") for name, _ in ours.named_parameters()}
    assert_same(ours, theirs, names, draw(*SHAPE, dtype=dtype))


@each_dtype
@pytest.mark.parametrize(("inner", "width"), [("half", 4), ("one", 1)])
def test_nonlocal_dot(inner: str, width: int, dtype: torch.dtype) -> None:
    ours, theirs = NonLocal(SHAPE[1], inner=inner, form="dot"), DotLoops(width)
    randomise(ours)
    names = {name: name for name, _ in ours.named_parameters()}
    assert_same(ours, theirs, names, draw(*SHAPE, dtype=dtype))

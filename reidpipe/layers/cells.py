"""Cells of searched networks: DARTS, Liu et al., ICLR 2019, https://arxiv.org/abs/1806.09055.

A cell sees the outputs of the two cells before it. Each of its four nodes sums operations on those
and on the nodes before; what it gives are the four nodes beside each other. The operations are
those of DARTS' authors (quark0/darts, f276dd3), and the part-aware one of Auto-ReID
(https://arxiv.org/abs/1903.09776, Fig. 2 as a review describes it), of which the source leaves open
how the body vectors interact: here it is one step of self-attention.
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from reidpipe.formats.cells import NODES, Nodes
from reidpipe.runtime.machine import in_full, single

PARTS = 4
"""Horizontal stripes of the part-aware operation."""

Make = Callable[[str, int], nn.Module]
"""Operation of a name and a stride."""


class Cell(nn.Module):
    """Maps [B, C0, H', W'], [B, C1, H, W] -> [B, 4 C, H, W], or half of H and W, rounded up.

    Args:
        before: C0 and C1.
        channels: C.
        nodes: which operation each node has on which state.
        reduces: it halves the size of its maps.
        reduced: the cell before has halved it: the older input has twice the height and width.
    """

    def __init__(
        self,
        before: tuple[int, int],
        channels: int,
        nodes: Nodes,
        *,
        reduces: bool,
        reduced: bool,
    ) -> None:
        super().__init__()
        self.inputs = inputs(before, channels, reduced=reduced)
        self.operations = nn.ModuleList(
            nn.ModuleList(
                operation(name, channels, 2 if reduces and state < len(before) else 1)
                for name, state in node
            )
            for node in nodes
        )
        self.read = [[state for _, state in node] for node in nodes]

    def forward(self, older: Tensor, newer: Tensor) -> Tensor:
        states = [found(x) for found, x in zip(self.inputs, (older, newer), strict=True)]
        for operations, read in zip(self.operations, self.read, strict=True):
            one, other = (
                do(states[state])
                for do, state in zip(operations, read, strict=True)  # type: ignore[call-overload]
            )
            states.append(one + other)
        return torch.cat(states[-NODES:], dim=1)


def inputs(
    before: tuple[int, int], channels: int, *, reduced: bool, affine: bool = True
) -> nn.ModuleList:
    """What brings both inputs of a cell to its width and size."""
    older, newer = before
    first = Halved(older, channels, affine) if reduced else pointwise(older, channels, 1, affine)
    return nn.ModuleList((first, pointwise(newer, channels, 1, affine)))


def operation(
    name: str, channels: int, stride: Literal[1, 2] | int, *, affine: bool = True
) -> nn.Module:
    """[B, C, H, W] -> [B, C, H / stride, W / stride], rounded up; `affine` of its batch norms."""
    if name == "skip":
        return nn.Identity() if stride == 1 else Halved(channels, channels, affine)
    if name == "max":
        return nn.MaxPool2d(3, stride, padding=1)
    if name == "average":
        return nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)
    if name == "separable":
        return nn.Sequential(
            *depthwise(channels, stride, 1, affine), *depthwise(channels, 1, 1, affine)
        )
    if name == "dilated":
        return nn.Sequential(*depthwise(channels, stride, 2, affine))
    if name == "part":
        return PartAware(channels, stride, affine=affine)
    raise ValueError(name)


def pointwise(channels: int, out: int, stride: int, affine: bool) -> nn.Sequential:
    """ReLU, 1x1 convolution, batch norm."""
    conv = nn.Conv2d(channels, out, 1, stride, bias=False)
    return nn.Sequential(nn.ReLU(), conv, nn.BatchNorm2d(out, affine=affine))


def depthwise(channels: int, stride: int, dilation: int, affine: bool) -> Sequence[nn.Module]:
    """ReLU, 3x3 convolution of each channel, 1x1 convolution, batch norm."""
    apart = nn.Conv2d(
        channels, channels, 3, stride, dilation, dilation, groups=channels, bias=False
    )
    together = nn.Conv2d(channels, channels, 1, bias=False)
    return nn.ReLU(), apart, together, nn.BatchNorm2d(channels, affine=affine)


class Halved(nn.Module):
    """[B, C, H, W] -> [B, out, H / 2, W / 2], rounded up: all pixels, by two convolutions."""

    def __init__(self, channels: int, out: int, affine: bool) -> None:
        super().__init__()
        self.even = nn.Conv2d(channels, out // 2, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(channels, out - out // 2, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(out, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        x = x.relu()
        # Of an odd size the last row has no other beside it.
        beside = F.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        out: Tensor = self.norm(torch.cat([self.even(x), self.odd(beside)], dim=1))
        return out


class PartAware(nn.Module):
    """[B, C, H, W] -> [B, C, H / stride, W / stride]: each part's rows are told of all parts.

    With p_m the mean of the rows h of part m = floor(h M / H), M = 4 or the rows that there are:

        b = p W^T + c,  a = softmax(b b^T / sqrt C),  y_h = (x_h, (a b)_m),  out = BN(1x1(ReLU(y)))
    """

    def __init__(self, channels: int, stride: int, *, affine: bool = True) -> None:
        super().__init__()
        self.vectors = nn.Linear(channels, channels)
        self.joined = pointwise(2 * channels, channels, stride, affine)

    def forward(self, x: Tensor) -> Tensor:
        height = x.shape[2]
        parts = min(PARTS, height)
        part = torch.arange(height, device=x.device) * parts // height
        member = F.one_hot(part, parts).to(single(x.dtype))  # [H, M]
        with in_full(x.device):
            rows = x.mean(3, dtype=member.dtype)  # [B, C, H]
            means = rows @ member / member.sum(0)
            body = attended(self.vectors(means.mT))  # [B, M, C]
            told = (body.mT @ member.T)[..., None].expand_as(x)
        out: Tensor = self.joined(torch.cat([x, told.to(x.dtype)], dim=1))
        return out


def attended(body: Tensor) -> Tensor:
    """Vectors [B, M, C] -> the same, each a mean of all by likeness."""
    return (body @ body.mT / math.sqrt(body.shape[2])).softmax(2) @ body

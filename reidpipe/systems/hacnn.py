"""Harmonious Attention Network for Person Re-Identification, Li et al., CVPR 2018 (HA-CNN).

https://arxiv.org/abs/1802.08122. A small network of its own that learns from random weights. In its
global branch each of three blocks ends with a soft attention of a spatial and a channel part; from
each block's map a hard attention reads four regions, which a local branch sees at their own size:

    soft    y = x * sigmoid(f(s * c)),  s [1, H, W] of the channels' mean, c [C, 1, 1] of the map's
    hard    t = tanh(W mean(x) + b): region r is as wide as the map, a quarter as high, around t_r

Both branches end in a vector with a classifier of its own; the losses are summed. The search uses
both vectors, each with a norm of 1.

No method is published under the name HAC, which the tables of Li & Wang have. That it means this
one is a judgement: its numbers are near to those of the re-implementation in torchreid of spring
2018, from which the layers are (KaiyangZhou/deep-person-reid, f8cd150 and 3b1a5a9), and no
publication that was found has these digits. The recipe is the one that torchreid's author names for
91% on Market-1501.

Deviations. Regions are sampled as torch does it today (pixels are areas); the spatial attention is
enlarged to the size of its map, which for even sizes is a factor of 2, as there; images are always
padded by 10 pixels and cropped, where that code enlarges every second one by an eighth; initial
weights are those of `layers/initial.py`.
"""

from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from reidpipe.errors import UserError
from reidpipe.formats.settings.training import Phase, Recipe, Shuffled
from reidpipe.layers import convolutions
from reidpipe.layers.heads import Linear
from reidpipe.layers.pooling import average
from reidpipe.layers.sampling import cut_out, moved, resampled, stretched
from reidpipe.runtime.machine import in_full, single
from reidpipe.runtime.settings import (
    BatchSize,
    Fraction,
    Keywords,
    Milestones,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    Size,
)
from reidpipe.systems import System

WIDTHS = (32, 128, 256, 384)
"""Channels of the stem and of the three blocks."""
FEATURE = 512
CENTRES = (-0.75, -0.25, 0.25, 0.75)
"""Of the regions at the start, before the hyperbolic tangent."""
REDUCTION = 16
convolution = partial(convolutions.convolution, bias=True)
"""As in the code that it follows."""


class Network(System):
    """Images [B, 3, H, W] -> scores of both branches; descriptors [B, 2 F]."""

    backbone: "Trunk"

    def __init__(
        self,
        num_classes: int,
        *,
        multiplier: PositiveFloat = 1.0,
        local: Size = (24, 28),
        label_smoothing: Fraction = 0.1,
    ) -> None:
        super().__init__(
            num_classes, multiplier=multiplier, local=local, label_smoothing=label_smoothing
        )
        self.label_smoothing = label_smoothing
        self.backbone = Trunk(multiplier)
        widths, feature = self.backbone.widths, int(FEATURE * multiplier)
        self.hard = nn.ModuleList(Hard(width) for width in widths[1:])
        self.local = nn.ModuleList(Halving(before, after) for before, after in pairwise(widths))
        self.local_size = local
        self.whole = vector(widths[-1], feature)
        self.parts = vector(len(CENTRES) * widths[-1], feature)
        self.heads = nn.ModuleList(
            Linear(feature, num_classes, bias=True, std=0.01) for _ in range(2)
        )
        self.width = 2 * feature

    def vectors(self, images: Tensor) -> list[Tensor]:
        """The global and the local feature [B, F]."""
        stem, plain, attended = self.backbone.maps(images)
        whole = self.whole(average(attended[-1]))
        centres = [look(found) for look, found in zip(self.hard, plain, strict=True)]
        seen = (stem, *attended[:2])
        sizes = [
            tuple(-(-count // 2**level) for count in self.local_size) for level in range(len(seen))
        ]
        smaller = [
            [moved(stretched(*counts), found) for counts in zip(found.shape[2:], size, strict=True)]
            for found, size in zip(seen, sizes, strict=True)
        ]
        regions = []
        for region in range(len(CENTRES)):
            below: Tensor | None = None
            for found, centre, to, block in zip(seen, centres, smaller, self.local, strict=True):
                part = _region(found, centre[:, region], *to)
                below = block(part if below is None else part + below)
            regions.append(average(below))  # type: ignore[arg-type]
        return [whole, self.parts(torch.cat(regions, dim=1))]

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """`global` and `local` [B, C], and `scores`, their sum."""
        own, local = (
            head(found) for head, found in zip(self.heads, self.vectors(images), strict=True)
        )
        return {"global": own, "local": local, "scores": own + local}

    def losses(self, out: Mapping[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """Cross-entropy of each branch, smoothed as in `ours`."""
        return {
            name: F.cross_entropy(out[name], labels, label_smoothing=self.label_smoothing)
            for name in ("global", "local")
        }

    def embed(self, images: Tensor) -> Tensor:
        """Both features, each with a norm of 1."""
        return torch.cat([F.normalize(found) for found in self.vectors(images)], dim=1)

    def last_map(self) -> nn.Module:
        """The last block before its attention."""
        return self.backbone.blocks[-1]

    def classifiers(self) -> list[nn.Module]:
        """One a branch."""
        return [self.heads]


class Trunk(nn.Module):
    """The global branch up to its last map."""

    def __init__(self, multiplier: float) -> None:
        super().__init__()
        self.name = f"hacnn_x{multiplier:g}"
        self.widths = tuple(int(width * multiplier) for width in WIDTHS)
        if self.widths[1] < REDUCTION or any(width % 4 for width in self.widths):
            raise UserError(
                "the network cannot be as narrow as that",
                where="params.yaml: systems.hacnn.multiplier",
                expected=f"{REDUCTION / WIDTHS[1]:g} or another multiple of it",
                found=multiplier,
            )
        self.stem = convolution(3, self.widths[0], 3, stride=2)
        self.blocks = nn.ModuleList(
            nn.Sequential(Same(before, after), Halving(after, after))
            for before, after in pairwise(self.widths)
        )
        self.soft = nn.ModuleList(Soft(width) for width in self.widths[1:])

    def maps(self, images: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """The stem's map, and of each block the map before and after its attention."""
        stem = x = self.stem(images)
        plain, attended = [], []
        for block, soft in zip(self.blocks, self.soft, strict=True):
            found = block(x)
            x = found * soft(found)
            plain.append(found)
            attended.append(x)
        return stem, plain, attended


class Same(nn.Module):
    """Inception block that keeps the size: [B, C, H, W] -> [B, C', H, W]."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        quarter = out // 4
        self.streams = nn.ModuleList(
            nn.Sequential(convolution(channels, quarter, 1), convolution(quarter, quarter, 3))
            for _ in range(3)
        )
        pooling = nn.AvgPool2d(3, stride=1, padding=1)
        self.streams.append(nn.Sequential(pooling, convolution(channels, quarter, 1)))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([stream(x) for stream in self.streams], dim=1)


class Halving(nn.Module):
    """Inception block that halves the size: [B, C, H, W] -> [B, C', H/2, W/2]."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        quarter = out // 4
        first = (convolution(channels, quarter, 1), convolution(quarter, quarter, 3, stride=2))
        second = (
            convolution(channels, quarter, 1),
            convolution(quarter, quarter, 3),
            convolution(quarter, quarter, 3, stride=2),
        )
        third = (nn.MaxPool2d(3, stride=2, padding=1), convolution(channels, 2 * quarter, 1))
        self.streams = nn.ModuleList(nn.Sequential(*parts) for parts in (first, second, third))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([stream(x) for stream in self.streams], dim=1)


class Soft(nn.Module):
    """[B, C, H, W] -> weights of the same shape, in 0.5..1: a ReLU stands before the sigmoid."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.spatial = convolution(1, 1, 3, stride=2)
        self.enlarged = convolution(1, 1, 1)
        self.channel = nn.Sequential(
            convolution(channels, channels // REDUCTION, 1),
            convolution(channels // REDUCTION, channels, 1),
        )
        self.both = convolution(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        small = self.spatial(x.mean(1, keepdim=True))
        rows, columns = (moved(stretched(small.shape[k], x.shape[k]), x) for k in (2, 3))
        spatial = self.enlarged(resampled(small, rows, columns))
        channel = self.channel(x.mean((2, 3), keepdim=True))
        out: Tensor = self.both(spatial * channel).sigmoid()
        return out


class Hard(nn.Linear):
    """Map [B, C, H, W] -> centres [B, 4, 2] of the regions, x and y in -1..1."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, 2 * len(CENTRES))

    def start(self, generator: torch.Generator) -> None:  # noqa: ARG002
        """Four bands, from the top."""
        nn.init.zeros_(self.weight)
        with torch.no_grad():
            self.bias.view(-1, 2)[:, 0] = 0.0
            self.bias.view(-1, 2)[:, 1] = torch.tensor(CENTRES)

    def forward(self, x: Tensor) -> Tensor:
        with in_full(x.device):
            centres: Tensor = super().forward(average(x)).tanh()
        return centres.unflatten(1, (-1, 2))  # type: ignore[no-any-return, no-untyped-call]


def _region(feature_map: Tensor, centre: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """What is around `centre` [B, 2], as large as the map, then resized by [h, H] and [w, W]."""
    height, width = feature_map.shape[2:]
    kind = single(centre.dtype)
    with in_full(feature_map.device):
        own = cut_out(height, height, 1 / len(CENTRES), centre[:, 1].to(kind))
        wide = cut_out(width, width, 1.0, centre[:, 0].to(kind))
        return resampled(feature_map, rows.to(kind) @ own, columns.to(kind) @ wide)


def vector(channels: int, feature: int) -> nn.Sequential:
    """Linear map, batch norm, ReLU."""
    return nn.Sequential(nn.Linear(channels, feature), nn.BatchNorm1d(feature), nn.ReLU())


def recipe(
    *,
    image_size: Size = (160, 64),
    batch_size: BatchSize = 32,
    augment: Annotated[dict[str, Any], Keywords("images/transforms.py", "augment")] = {  # noqa: B006
        "erase": 0.0
    },
    epochs: PositiveInt = 300,
    lr: PositiveFloat = 0.03,
    weight_decay: NonNegativeFloat = 5e-4,
    milestones: Milestones = (150, 225),
) -> Recipe:
    """SGD on shuffled images.

    Args:
        image_size: height, width in pixels.
        batch_size: images of a batch.
        augment: what is done to an image: flips and random places.
        epochs: of the only phase.
        lr: learning rate.
        weight_decay: of all weights.
        milestones: epochs at which the rate falls to a tenth.
    """
    phase = Phase(
        epochs=epochs, optimiser="sgd", lr=lr, weight_decay=weight_decay, milestones=milestones
    )
    batches = Shuffled(size=batch_size)
    return Recipe(image_size=image_size, batches=batches, augment=augment, phases=(phase,))

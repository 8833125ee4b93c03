"""Auto-ReID: Searching for a Part-Aware ConvNet for Person Re-Identification, Quan et al., 2019.

ICCV 2019, https://arxiv.org/abs/1903.09776. A network of cells (`layers/cells.py`) that were found
by a search among operations, one of which knows the parts of a body. It is laid out like a ResNet:
a stem, four stages of cells, of which the last three begin with one that halves the map; pooled,
classified:

    L = lambda L_ce + (1 - lambda) L_tri,  lambda = 1/2

PUBLISHED is the cell that its authors found with this loss, as their repository has it (D-X-Y,
2019-06-05, `models/genotypes.py`). A run that starts from `data/cells/DATASET.json` takes the cell
of that file: the published one, unless the parameters have it searched for
(`training/cell_search.py`).

Deviations. Only the cell is published: width, depths and stem are ours, so that the vector has 2048
values at about the paper's cost; the weights start at random. From memory, and not verified: the
layout, lambda, 384x128, 240 epochs. Not known, and ours: rates, batches, and how the body vectors
of the part-aware operation interact.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from reidpipe.formats.cells import NODES, checked
from reidpipe.formats.settings.training import Identities, Phase, Recipe
from reidpipe.layers.cells import Cell
from reidpipe.layers.heads import Linear
from reidpipe.layers.pooling import average
from reidpipe.losses.triplet import batch_hard
from reidpipe.runtime.settings import (
    BatchSize,
    Channels,
    Depths,
    Fraction,
    Keywords,
    Milestones,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Size,
)
from reidpipe.systems import System

PUBLISHED: dict[str, Any] = {
    "normal": [
        [["separable", 0], ["skip", 1]],
        [["dilated", 2], ["dilated", 0]],
        [["dilated", 3], ["separable", 2]],
        [["dilated", 4], ["dilated", 3]],
    ],
    "reduce": [
        [["max", 0], ["part", 1]],
        [["separable", 0], ["dilated", 2]],
        [["dilated", 2], ["max", 0]],
        [["dilated", 4], ["dilated", 3]],
    ],
}


class Network(System):
    """Images [B, 3, H, W] -> features and scores; descriptors [B, D], the features."""

    backbone: "Trunk"

    def __init__(
        self,
        num_classes: int,
        *,
        cell: dict[str, Any] | None = None,
        channels: Channels = 64,
        depths: Depths = (2, 2, 2, 2),
        embedding: PositiveInt | None = None,
        weight: Fraction = 0.5,
    ) -> None:
        cell = checked(cell or PUBLISHED, "cell")  # type: ignore[assignment]
        super().__init__(
            num_classes,
            cell=cell,
            channels=channels,
            depths=depths,
            embedding=embedding,
            weight=weight,
        )
        self.weight = weight
        self.backbone = Trunk(cell, channels, depths)  # type: ignore[arg-type]
        pooled = self.backbone.channels
        self.embedding = nn.Linear(pooled, embedding) if embedding else nn.Identity()
        self.width = embedding or pooled
        self.head = Linear(self.width, num_classes, bias=True, std=0.01)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """`feature` [B, D] and `scores` [B, C]."""
        feature = self.embed(images)
        return {"feature": feature, "scores": self.head(feature)}

    def losses(self, out: Mapping[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """Both, weighted."""
        return retrieval(out, labels, self.weight)

    def embed(self, images: Tensor) -> Tensor:
        """Pooled, and mapped where there is an `embedding`."""
        out: Tensor = self.embedding(average(self.backbone(images)))
        return out

    def last_map(self) -> nn.Module:
        """The last cell."""
        return self.backbone.cells[-1]

    def classifiers(self) -> list[nn.Module]:
        """The one behind the feature."""
        return [self.head]


class Trunk(nn.Module):
    """Images [B, 3, H, W] -> [B, 32 C, H/32, W/32], rounded up."""

    def __init__(
        self, cell: Mapping[str, Any], channels: int, depths: tuple[int, int, int, int]
    ) -> None:
        super().__init__()
        self.name = f"cells_{'_'.join(map(str, depths))}_x{channels}"
        self.stem = stem(channels)
        self.cells = nn.ModuleList(
            Cell(before, width, cell[kind(reduces)], reduces=reduces, reduced=reduced)
            for before, width, reduces, reduced in plan(channels, depths)
        )
        self.channels = NODES * channels * 2 ** (len(depths) - 1)

    def forward(self, images: Tensor) -> Tensor:
        older = newer = self.stem(images)
        for cell in self.cells:
            older, newer = newer, cell(older, newer)
        out: Tensor = newer
        return out


def kind(reduces: bool) -> str:
    """Of a cell."""
    return "reduce" if reduces else "normal"


def stem(channels: int) -> nn.Sequential:
    """Two 3x3 convolutions of stride 2: [B, 3, H, W] -> [B, C, H/4, W/4]."""
    half = channels // 2
    return nn.Sequential(
        nn.Conv2d(3, half, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(half),
        nn.ReLU(),
        nn.Conv2d(half, channels, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(channels),
    )


def plan(
    channels: int, depths: tuple[int, int, int, int]
) -> list[tuple[tuple[int, int], int, bool, bool]]:
    """Of each cell: channels of both inputs, its own, whether it halves, whether the last did."""
    widths, halves = [], []
    for stage, depth in enumerate(depths):
        widths += [channels * 2**stage] * depth
        halves += [stage > 0] + [False] * (depth - 1)
    given = [channels, channels, *(NODES * width for width in widths)]
    before = list(pairwise(given))[: len(widths)]
    return list(zip(before, widths, halves, [False, *halves[:-1]], strict=True))


def retrieval(out: Mapping[str, Tensor], labels: Tensor, weight: float) -> dict[str, Tensor]:
    """Cross-entropy times `weight`, and the triplet loss times the rest."""
    ce = F.cross_entropy(out["scores"], labels)
    return {"ce": weight * ce, "triplet": (1 - weight) * batch_hard(out["feature"], labels)}


def recipe(
    *,
    image_size: Size = (384, 128),
    identities: PositiveInt = 16,
    images: BatchSize = 4,
    augment: Annotated[dict[str, Any], Keywords("images/transforms.py", "augment")] = {  # noqa: B006
        "erase": 0.0
    },
    epochs: PositiveInt = 240,
    lr: PositiveFloat = 3.5e-4,
    weight_decay: NonNegativeFloat = 5e-4,
    warmup_epochs: NonNegativeInt = 10,
    milestones: Milestones = (80, 150),
) -> Recipe:
    """Adam with linear warm-up and steps on P x K batches.

    Args:
        image_size: height, width in pixels.
        identities: P.
        images: K.
        augment: what is done to an image: flips and random places.
        epochs: of the only phase.
        lr: learning rate after the warm-up.
        weight_decay: added to the gradients, as Adam has it.
        warmup_epochs: during which the rate rises.
        milestones: epochs at which the rate falls to a tenth.
    """
    phase = Phase(
        epochs=epochs,
        optimiser="adam",
        lr=lr,
        weight_decay=weight_decay,
        warmup_epochs=warmup_epochs,
        milestones=milestones,
    )
    batches = Identities(identities=identities, images=images)
    return Recipe(image_size=image_size, batches=batches, augment=augment, phases=(phase,))

"""Omni-Scale Feature Learning for Person Re-Identification, Zhou et al., ICCV 2019.

https://arxiv.org/abs/1905.00953. A network of its own, of blocks whose four streams see 3, 5, 7 and
9 pixels wide and are mixed by one gate that they share:

    Lite 3x3    pointwise convolution, then depthwise 3x3, batch norm, ReLU
    x'          = BN(1x1(sum_t gate(x^t) * x^t)),  x^t: t Lite 3x3 in a row
    gate(x)     = sigmoid(W_2 ReLU(W_1 mean(x) + b_1) + b_2), a value a channel
    block       = ReLU(x' + shortcut)

Where the paper is silent this is its author's code (KaiyangZhou/deep-person-reid, f8cd150). Its
ImageNet weights are offered for download alone, so that a run starts from what the stage `weights`
makes, or at random with the recipe for that (`scratch`), of which the rates are from memory and not
verified. Also from memory: the comparison by cosine, where the author's code compares by Euclidean
distance.

Deviations. The author's cosine schedule counts from the first of the epochs in which the classifier
learns alone, ours from their end; the paper's random crops and patches are not used.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from reidpipe.errors import UserError
from reidpipe.formats.settings.training import Phase, Recipe, Shuffled
from reidpipe.layers.convolutions import convolution
from reidpipe.layers.heads import Linear
from reidpipe.layers.pooling import average
from reidpipe.runtime.settings import (
    BatchSize,
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

WIDTHS = (64, 256, 384, 512)
STREAMS = 4
REDUCTION = 16


class Network(System):
    """Images [B, 3, H, W] -> scores [B, C]; descriptors [B, D]."""

    backbone: "Trunk"

    def __init__(
        self, num_classes: int, *, multiplier: PositiveFloat = 1.0, label_smoothing: Fraction = 0.1
    ) -> None:
        super().__init__(num_classes, multiplier=multiplier, label_smoothing=label_smoothing)
        self.label_smoothing = label_smoothing
        self.backbone = Trunk(multiplier)
        self.width = WIDTHS[-1]
        self.head = Linear(self.width, num_classes, bias=True, std=0.01)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """`scores` [B, C]."""
        return {"scores": self.head(self.backbone(images))}

    def losses(self, out: Mapping[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """Cross-entropy, smoothed as in `ours`."""
        found = F.cross_entropy(out["scores"], labels, label_smoothing=self.label_smoothing)
        return {"ce": found}

    def embed(self, images: Tensor) -> Tensor:
        """The trunk's vector, behind its ReLU."""
        out: Tensor = self.backbone(images)
        return out

    def last_map(self) -> nn.Module:
        """The last convolution."""
        return self.backbone.conv5

    def classifiers(self) -> list[nn.Module]:
        """The one behind the trunk."""
        return [self.head]


class Trunk(nn.Module):
    """Images [B, 3, H, W] -> vectors [B, 512], at any width; the last map has H/16 rows."""

    def __init__(self, multiplier: float) -> None:
        super().__init__()
        self.name = f"osnet_x{multiplier:g}"
        stem, second, third, fourth = (int(width * multiplier) for width in WIDTHS)
        if second // 4 < REDUCTION:
            raise UserError(
                "the network is too narrow for its gates",
                where="params.yaml: systems.osnet.multiplier",
                expected=f"at least {4 * REDUCTION / WIDTHS[1]:g}",
                found=multiplier,
            )
        self.conv1 = convolution(3, stem, 7, stride=2)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.conv2 = stage(stem, second)
        self.conv3 = stage(second, third)
        self.conv4 = nn.Sequential(Block(third, fourth), Block(fourth, fourth))
        self.conv5 = convolution(fourth, fourth)
        self.fc = nn.Sequential(Full(fourth, WIDTHS[-1]), nn.BatchNorm1d(WIDTHS[-1]), nn.ReLU())

    def forward(self, images: Tensor) -> Tensor:
        x = self.maxpool(self.conv1(images))
        x = self.conv5(self.conv4(self.conv3(self.conv2(x))))
        out: Tensor = self.fc(average(x))
        return out


class Block(nn.Module):
    """[B, C, H, W] -> [B, C', H, W]: four streams of a quarter of the width, and the shortcut."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        middle = out // 4
        self.first = convolution(channels, middle)
        self.streams = nn.ModuleList(
            nn.Sequential(*(lite(middle) for _ in range(depth))) for depth in range(1, STREAMS + 1)
        )
        self.gate = Gate(middle)
        self.last = linear(middle, out)
        self.shortcut = linear(channels, out) if channels != out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        first = self.first(x)
        mixed = torch.stack([self.gate(stream(first)) for stream in self.streams]).sum(0)
        return F.relu(self.last(mixed) + self.shortcut(x))


class Gate(nn.Module):
    """Each channel of [B, C, H, W] times a number in 0..1 that the means of all decide."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels // REDUCTION, 1)
        self.second = nn.Conv2d(channels // REDUCTION, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        means = x.mean((2, 3), keepdim=True)
        out: Tensor = x * self.second(self.first(means).relu()).sigmoid()
        return out


class Full(nn.Linear):
    """A linear map that starts as the author's: normal with deviation 0.01, bias 0."""

    def start(self, generator: torch.Generator) -> None:
        """As the class says."""
        nn.init.normal_(self.weight, std=0.01, generator=generator)
        nn.init.zeros_(self.bias)


def linear(channels: int, out: int) -> nn.Sequential:
    """Pointwise convolution without bias, batch norm; no ReLU."""
    return nn.Sequential(nn.Conv2d(channels, out, 1, bias=False), nn.BatchNorm2d(out))


def lite(channels: int) -> nn.Sequential:
    """Lite 3x3."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    )


def stage(channels: int, out: int) -> nn.Sequential:
    """Two blocks and a transition to half the height and width."""
    blocks = (Block(channels, out), Block(out, out))
    return nn.Sequential(*blocks, convolution(out, out), nn.AvgPool2d(2, stride=2))


def recipe(
    *,
    image_size: Size = (256, 128),
    batch_size: BatchSize = 64,
    augment: Annotated[dict[str, Any], Keywords("images/transforms.py", "augment")] = {  # noqa: B006
        "pad": 0,
        "erase": 0.0,
    },
    scratch: bool = False,
    lr: PositiveFloat | None = None,
    weight_decay: NonNegativeFloat = 5e-4,
    head_epochs: NonNegativeInt | None = None,
    epochs: PositiveInt | None = None,
    milestones: Milestones = (),
) -> Recipe:
    """AMSGrad for a pre-trained trunk, first for the classifier alone; or SGD from random weights.

    Args:
        image_size: height, width in pixels.
        batch_size: images of a batch.
        augment: what is done to an image; of the author's configurations flips alone.
        scratch: from random weights.
        lr: learning rate; without one 0.0015, from random weights 0.065.
        weight_decay: of all weights.
        head_epochs: in which the classifier learns alone; without a word 10, from random weights 0.
        epochs: of the whole network; without a word 240, from random weights 350.
        milestones: epochs of the whole network at which the rate falls to a tenth; without any it
            falls to nothing by a cosine, from random weights to a tenth after 3/7, 9/14 and 6/7.
    """
    length = epochs or (350 if scratch else 240)
    if scratch and not milestones:
        milestones = tuple(max(1, round(length * part / 350)) for part in (150, 225, 300))
    whole = Phase(
        name="all",
        epochs=length,
        optimiser="sgd" if scratch else "amsgrad",
        lr=lr or (0.065 if scratch else 1.5e-3),
        weight_decay=weight_decay,
        decay="steps" if milestones else "cosine",
        milestones=milestones,
    )
    phases = [whole]
    if alone := (0 if scratch else 10) if head_epochs is None else head_epochs:
        change = {"name": "classifier", "epochs": alone, "decay": "steps", "milestones": ()}
        phases = [whole.model_copy(update={**change, "frozen": ("backbone",)}), whole]
    batches = Shuffled(size=batch_size)
    return Recipe(image_size=image_size, batches=batches, augment=augment, phases=tuple(phases))

"""Circle Loss: A Unified Perspective of Pair Similarity Optimization, Sun et al., CVPR 2020.

https://arxiv.org/abs/2002.10857, on the network of its best row: Learning Discriminative Features
with Multiple Granularities, Wang et al., ACM MM 2018, https://arxiv.org/abs/1804.01438 (MGN). A
ResNet is split behind the first block of its third stage into three branches with weights of their
own. The first, with the last down-sampling, gives one pooled vector; the second one of the whole
map and of each half; the third one of the whole and of each third. Each of the eight is reduced by
a 1x1 convolution with batch norm and ReLU, all are concatenated, and the class-level circle loss of
`losses/circle.py` on their cosines to the weights of the identities is the only loss.

What is known of the network is from reproductions of MGN (seathiefwang/MGN-pytorch, 384e820; JDAI-
CV/fast-reid, c9bc3ce): max pooling, eight reductions without bias to 256. That the eight get one
loss, and that the authors' MGN differs a little from the published one, is second-hand; scale 128,
margin 0.25 and the recipe, which is that of Ours, are not verified.

Deviations. A maximum that several pixels share hands each its part of the gradient.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from reidpipe.formats.settings.training import Identities, Phase, Recipe
from reidpipe.layers.convolutions import convolution
from reidpipe.layers.heads import Cosine
from reidpipe.layers.resnet import Backbone as ResNet
from reidpipe.layers.stripes import stripes
from reidpipe.losses.circle import circle_logits
from reidpipe.runtime.machine import in_full
from reidpipe.runtime.settings import (
    Backbone,
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

PARTS = (1, 2, 3)
"""Stripes of each branch."""


class Network(System):
    """Images [B, 3, H, W], H a multiple of 96 -> scores [B, C]; descriptors [B, 8 R]."""

    backbone: ResNet
    """The part that all branches share, and the first of them."""

    def __init__(
        self,
        num_classes: int,
        *,
        backbone: Backbone = "resnet50",
        reduced: PositiveInt = 256,
        scale: PositiveFloat = 128.0,
        margin: Fraction = 0.25,
    ) -> None:
        super().__init__(
            num_classes, backbone=backbone, reduced=reduced, scale=scale, margin=margin
        )
        self.scale, self.margin = scale, margin
        self.backbone = ResNet(backbone, last_stride=2)
        self.branches = nn.ModuleList(Branch(ResNet(backbone)) for _ in PARTS[1:])
        channels, vectors = self.backbone.channels, len(PARTS) + sum(PARTS[1:])
        self.reductions = nn.ModuleList(convolution(channels, reduced) for _ in range(vectors))
        self.width = vectors * reduced
        self.head = Cosine(self.width, num_classes)

    def start_from(self, tensors: Mapping[str, Tensor]) -> None:
        """The trunk's weights for all that is shared, and for each branch its end of them."""
        super().start_from(tensors)
        for branch in self.branches:
            branch.load_state_dict(Branch(self.backbone).state_dict())

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """`scores` [B, C]: cosines."""
        return {"scores": self.head(self.embed(images))}

    def losses(self, out: Mapping[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """The class-level circle loss."""
        logits = circle_logits(out["scores"], labels, scale=self.scale, margin=self.margin)
        return {"circle": F.cross_entropy(logits, labels)}

    def embed(self, images: Tensor) -> Tensor:
        """The three whole ones, the halves and the thirds from the top, reduced: [B, 8 R]."""
        vectors = self.pooled(images)
        with in_full(images.device):
            reduced = [
                part(v[..., None, None]) for part, v in zip(self.reductions, vectors, strict=True)
            ]
            return torch.cat(reduced, dim=1).flatten(1)

    def pooled(self, images: Tensor) -> list[Tensor]:
        """The eight vectors [B, D]."""
        trunk = self.backbone
        x = trunk.maxpool(trunk.relu(trunk.bn1(trunk.conv1(images))))
        x = trunk.layer3[0](trunk.layer2(trunk.layer1(x)))
        maps = [trunk.layer4(trunk.layer3[1:](x)), *(branch(x) for branch in self.branches)]
        whole = [stripes(found, 1, "max")[..., 0] for found in maps]
        parts = [
            stripes(found, count, "max").unbind(2)
            for found, count in zip(maps[1:], PARTS[1:], strict=True)
        ]
        return whole + [part for some in parts for part in some]

    def last_map(self) -> nn.Module:
        """The last stage of the first branch."""
        return self.backbone.layer4

    def classifiers(self) -> list[nn.Module]:
        """The one behind the descriptor."""
        return [self.head]


class Branch(nn.Module):
    """What stands behind the split, of a ResNet: [B, C, H, W] -> [B, D, H, W] or half of it."""

    def __init__(self, trunk: ResNet) -> None:
        super().__init__()
        self.layer3 = trunk.layer3[1:]
        self.layer4 = trunk.layer4

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer4(self.layer3(x))
        return out


def recipe(
    *,
    image_size: Size = (384, 128),
    identities: PositiveInt = 16,
    images: BatchSize = 4,
    augment: Annotated[dict[str, Any], Keywords("images/transforms.py", "augment")] = {},  # noqa: B006
    epochs: PositiveInt = 120,
    lr: PositiveFloat = 3.5e-4,
    weight_decay: NonNegativeFloat = 5e-4,
    warmup_epochs: NonNegativeInt = 10,
    milestones: Milestones = (40, 70),
) -> Recipe:
    """Adam with linear warm-up and steps on P x K batches.

    Args:
        image_size: height, width in pixels.
        identities: P.
        images: K.
        augment: what is otherwise than in the ReID baselines.
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

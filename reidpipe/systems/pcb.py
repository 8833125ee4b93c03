"""Beyond Part Models: Person Retrieval with Refined Part Pooling, Sun et al., ECCV 2018.

https://arxiv.org/abs/1711.09349. PCB, its "strong convolutional baseline": the last map of a ResNet
without the last down-sampling is cut into p horizontal stripes, whose means are g_1 .. g_p. One
1x1 convolution for all of them, with batch norm and ReLU, gives h_1 .. h_p, and a linear classifier
each tells the identities apart.

    L = sum_i CE(W_i h_i + b_i)

Where the paper is silent this is its authors' code (syfafterzy/PCB_RPP_for_reID, e29cf54): dropout
of 0.5 on g, a reduction without bias that all stripes share, plain cross-entropy, summed and not
averaged, flips alone. Tested is g, each part with a norm of 1 (`descriptor: g`), or h, which is
eight times shorter (`descriptor: h`).

Deviations. Images are resized as everywhere here, where the authors' code interpolates linearly.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from reidpipe.formats.settings.training import Group, Phase, Recipe, Shuffled
from reidpipe.layers.convolutions import convolution
from reidpipe.layers.dropout import Dropout
from reidpipe.layers.heads import Linear
from reidpipe.layers.resnet import Backbone as ResNet
from reidpipe.layers.stripes import stripes
from reidpipe.runtime.settings import (
    Backbone,
    BatchSize,
    Dropped,
    Keywords,
    Milestones,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    Size,
)
from reidpipe.systems import System


class Network(System):
    """Images [B, 3, H, W], H a multiple of 16 p -> scores of each stripe; descriptors [B, p C]."""

    backbone: ResNet

    def __init__(
        self,
        num_classes: int,
        *,
        backbone: Backbone = "resnet50",
        parts: PositiveInt = 6,
        reduced: PositiveInt = 256,
        dropout: Dropped = 0.5,
        descriptor: Literal["g", "h"] = "g",
    ) -> None:
        super().__init__(
            num_classes,
            backbone=backbone,
            parts=parts,
            reduced=reduced,
            dropout=dropout,
            descriptor=descriptor,
        )
        self.parts, self.descriptor = parts, descriptor
        self.backbone = ResNet(backbone)
        self.dropout = Dropout(dropout)
        self.reduction = convolution(self.backbone.channels, reduced)
        self.heads = nn.ModuleList(Linear(reduced, num_classes, bias=True) for _ in range(parts))
        self.width = parts * (self.backbone.channels if descriptor == "g" else reduced)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """`logits` [B, p, C], a row a stripe, and `scores` [B, C], their mean."""
        h = self._reduced(self.dropout(self.pooled(images)))
        logits = torch.stack([head(h[:, :, i]) for i, head in enumerate(self.heads)], dim=1)
        return {"logits": logits, "scores": logits.mean(1)}

    def losses(self, out: Mapping[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """The sum of the stripes' cross-entropies."""
        by_part = [F.cross_entropy(part, labels) for part in out["logits"].unbind(1)]
        return {"ce": torch.stack(by_part).sum()}

    def embed(self, images: Tensor) -> Tensor:
        """All g with a norm of 1 each, [B, p D], or all h, [B, p R], from the top to the bottom."""
        g = self.pooled(images)
        if self.descriptor == "g":
            return F.normalize(g, dim=1).mT.flatten(1)
        return self._reduced(g).mT.flatten(1)

    def pooled(self, images: Tensor) -> Tensor:
        """The stripes g [B, D, p]."""
        return stripes(self.backbone(images), self.parts)

    def _reduced(self, g: Tensor) -> Tensor:
        """[B, D, p] -> h [B, R, p]."""
        h: Tensor = self.reduction(g[..., None])
        return h[..., 0]

    def last_map(self) -> nn.Module:
        """The last stage of the ResNet."""
        return self.backbone.layer4

    def classifiers(self) -> list[nn.Module]:
        """One a stripe."""
        return [self.heads]


def recipe(
    *,
    image_size: Size = (384, 128),
    batch_size: BatchSize = 64,
    augment: Annotated[dict[str, Any], Keywords("images/transforms.py", "augment")] = {  # noqa: B006
        "pad": 0,
        "erase": 0.0,
    },
    epochs: PositiveInt = 60,
    lr: PositiveFloat = 0.1,
    backbone_rate: PositiveFloat = 0.1,
    weight_decay: NonNegativeFloat = 5e-4,
    milestones: Milestones = (40,),
) -> Recipe:
    """SGD with Nesterov's momentum on shuffled images, the backbone at a tenth of the rate.

    Args:
        image_size: height, width in pixels.
        batch_size: images of a batch.
        augment: what is done to an image; of the authors' code flips alone.
        epochs: of the only phase.
        lr: of what is new.
        backbone_rate: the backbone's part of it.
        weight_decay: of all weights.
        milestones: epochs at which the rate falls to a tenth.
    """
    phase = Phase(
        epochs=epochs,
        optimiser="nesterov",
        lr=lr,
        weight_decay=weight_decay,
        milestones=milestones,
        groups=(Group(prefix="backbone.", lr=backbone_rate),),
    )
    batches = Shuffled(size=batch_size)
    return Recipe(image_size=image_size, batches=batches, augment=augment, phases=(phase,))

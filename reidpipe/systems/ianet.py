"""Interaction-and-Aggregation Network for Person Re-identification, Hou et al., CVPR 2019.

https://arxiv.org/abs/1907.08435. A ResNet whose second and third stages end with the two blocks of
`attention/ianet.py`, average pooling, a batch norm, a linear classifier:

    L = CE + mean over anchors of [m - cos(a, p) + cos(a, n)]+,  p, n the hardest of the batch

Where the paper could not be read this is its authors' code (blue-blue272/ImgReID-IAnet, e104e28;
guxinqian/Simple-ReID, 14a48b4): the triplet loss sees the feature behind the batch norm and
compares by cosines, m is 0.3, labels are smoothed by 0.1. That code leaves the last stride open;
here it is 1, as in the second of them.

Deviations. `relation`, of which `attention/ianet.py` tells; a loss on parsed body parts, which that
code has for a later paper, is left out; images are resized as everywhere here.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from reidpipe.attention.ianet import Attention
from reidpipe.formats.settings.training import Identities, Phase, Recipe
from reidpipe.layers.heads import Linear
from reidpipe.layers.placement import middle_ends
from reidpipe.layers.pooling import average
from reidpipe.layers.resnet import Backbone as ResNet
from reidpipe.layers.resnet import width
from reidpipe.losses.triplet import hardest
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


class Network(System):
    """Images [B, 3, H, W] -> feature [B, D], scores [B, C]; descriptors [B, D]."""

    backbone: ResNet

    def __init__(
        self,
        num_classes: int,
        *,
        backbone: Backbone = "resnet50",
        last_stride: Literal[1, 2] = 1,
        relation: Literal["product", "softmax"] = "product",
        label_smoothing: Fraction = 0.1,
        margin: PositiveFloat = 0.3,
    ) -> None:
        super().__init__(
            num_classes,
            backbone=backbone,
            last_stride=last_stride,
            relation=relation,
            label_smoothing=label_smoothing,
            margin=margin,
        )
        self.label_smoothing, self.margin = label_smoothing, margin
        self.backbone = ResNet(backbone, last_stride)
        for block in middle_ends(self.backbone):
            block.after = Attention(width(block), relation=relation)
        self.width = self.backbone.channels
        self.neck = nn.BatchNorm1d(self.width)
        self.head = Linear(self.width, num_classes, bias=True)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """`feature` [B, D], behind the batch norm, and `scores` [B, C]."""
        feature = self.embed(images)
        return {"feature": feature, "scores": self.head(feature)}

    def losses(self, out: Mapping[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """Cross-entropy, smoothed as in `ours`, and the triplet loss."""
        ce = F.cross_entropy(out["scores"], labels, label_smoothing=self.label_smoothing)
        return {"ce": ce, "triplet": cosine_triplet(out["feature"], labels, self.margin)}

    def embed(self, images: Tensor) -> Tensor:
        """What the batch norm gives."""
        out: Tensor = self.neck(average(self.backbone(images)))
        return out

    def last_map(self) -> nn.Module:
        """The last stage of the ResNet."""
        return self.backbone.layer4

    def classifiers(self) -> list[nn.Module]:
        """The one behind the batch norm."""
        return [self.head]


def cosine_triplet(feature: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Batch-hard hinge on -cos; of unit vectors -cos is half the squared distance, less 1."""
    d_ap, d_an = hardest(F.normalize(feature), labels)
    return (margin + (d_ap**2 - d_an**2) / 2).relu().mean()


def recipe(
    *,
    image_size: Size = (256, 128),
    identities: PositiveInt = 16,
    images: BatchSize = 4,
    augment: Annotated[dict[str, Any], Keywords("images/transforms.py", "augment")] = {"pad": 0},  # noqa: B006
    epochs: PositiveInt = 60,
    lr: PositiveFloat = 3.5e-4,
    weight_decay: NonNegativeFloat = 5e-4,
    warmup_epochs: NonNegativeInt = 0,
    milestones: Milestones = (20, 40),
) -> Recipe:
    """Adam on P x K batches.

    Args:
        image_size: height, width in pixels.
        identities: P.
        images: K.
        augment: what is done to an image; of the authors' code flips and erasing.
        epochs: of the only phase.
        lr: learning rate.
        weight_decay: added to the gradients, as Adam has it.
        warmup_epochs: during which the rate rises; the authors' code has none.
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

"""Person Re-Identification by Deep Learning Multi-Scale Representations, Chen et al., ICCVW 2017.

https://doi.org/10.1109/ICCVW.2017.304 (DPFL). Two networks see each image, at its size and smaller;
each has a classifier, and a third one stands behind both features together. The scales learn from
the identities and from what the fusion answers:

    L = CE(fusion) + sum_s [CE(s) + lambda H(fusion -> s)]

with H of `losses/consensus.py`. The search uses both features.

Not verified, but from memory: all of it but the idea. The paper has two Inception-V3 at 299 and 225
pixels, Adam at 2e-4 with a first beta of 0.5 and batches of 8; here stand two ResNet-50 at 256x128
and three quarters of it, with the recipe of Ours on shuffled images.

Deviations. These networks, sizes and rates.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from reidpipe.formats.settings.training import Phase, Recipe, Shuffled
from reidpipe.layers.heads import Linear
from reidpipe.layers.pooling import average
from reidpipe.layers.resnet import Backbone as ResNet
from reidpipe.layers.sampling import moved, resampled, shrunk
from reidpipe.losses.consensus import consensus
from reidpipe.runtime.machine import in_full, single
from reidpipe.runtime.settings import (
    Backbone,
    BatchSize,
    Keywords,
    Milestones,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Share,
    Size,
)
from reidpipe.systems import System


class Network(System):
    """Images [B, 3, H, W] -> scores of both scales and of the fusion; descriptors [B, 2 D]."""

    backbone: ResNet
    """Of the images as they are."""
    metric = "euclidean"

    def __init__(
        self,
        num_classes: int,
        *,
        backbone: Backbone = "resnet50",
        ratio: Share = 0.75,
        weight: NonNegativeFloat = 1.0,
    ) -> None:
        super().__init__(num_classes, backbone=backbone, ratio=ratio, weight=weight)
        self.ratio, self.weight = ratio, weight
        self.backbone, self.smaller = ResNet(backbone), ResNet(backbone)
        channels = self.backbone.channels
        self.heads = nn.ModuleList(Linear(channels, num_classes, bias=True) for _ in range(2))
        self.fusion = Linear(2 * channels, num_classes, bias=True)
        self.width = 2 * channels

    def start_from(self, tensors: Mapping[str, Tensor]) -> None:
        """Both networks from the same trunk."""
        super().start_from(tensors)
        self.smaller.load_state_dict(self.backbone.state_dict())

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Of the images and of the smaller ones, [B, D] each."""
        sizes = [(count, max(1, round(count * self.ratio))) for count in images.shape[2:]]
        rows, columns = (moved(shrunk(count, out), images) for count, out in sizes)
        with in_full(images.device):
            small = resampled(images, rows, columns)
        return average(self.backbone(images)), average(self.smaller(small))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """`large`, `small` and `scores`, those of the fusion: [B, C] each."""
        found = self.features(images)
        large, small = (head(part) for head, part in zip(self.heads, found, strict=True))
        return {"large": large, "small": small, "scores": self.fusion(torch.cat(found, dim=1))}

    def losses(self, out: Mapping[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """Three cross-entropies, and the consensus of either scale."""
        with in_full(labels.device):
            kind = single(out["scores"].dtype)
            full = {name: part.to(kind) for name, part in out.items()}
            terms = {f"ce_{name}": F.cross_entropy(full[name], labels) for name in full}
            apart = [consensus(full[name], full["scores"]) for name in ("large", "small")]
            return terms | {"consensus": self.weight * torch.stack(apart).sum()}

    def embed(self, images: Tensor) -> Tensor:
        """Both features."""
        return torch.cat(self.features(images), dim=1)

    def last_map(self) -> nn.Module:
        """The last stage of the network that sees images as they are."""
        return self.backbone.layer4

    def classifiers(self) -> list[nn.Module]:
        """One a scale, and the fusion's."""
        return [self.heads, self.fusion]


def recipe(
    *,
    image_size: Size = (256, 128),
    batch_size: BatchSize = 64,
    augment: Annotated[dict[str, Any], Keywords("images/transforms.py", "augment")] = {  # noqa: B006
        "pad": 0,
        "erase": 0.0,
    },
    epochs: PositiveInt = 120,
    lr: PositiveFloat = 3.5e-4,
    weight_decay: NonNegativeFloat = 5e-4,
    warmup_epochs: NonNegativeInt = 10,
    milestones: Milestones = (40, 70),
) -> Recipe:
    """Adam with linear warm-up and steps on shuffled images.

    Args:
        image_size: height, width in pixels.
        batch_size: images of a batch.
        augment: what is done to an image; of the paper flips.
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
    batches = Shuffled(size=batch_size)
    return Recipe(image_size=image_size, batches=batches, augment=augment, phases=(phase,))

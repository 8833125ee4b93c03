"""Re-ID done right: towards good practices for person re-identification, Almazan et al., 2018.

https://arxiv.org/abs/1801.05339 (GP-reid). A plain ResNet, trained with care: global max pooling,
one linear map, a norm of 1; identities are classified first, then hard triplets are ranked:

    L = 1/2 max(0, m + |q - d+|^2 - |q - d-|^2)

Triplets come from a pool: N random images are embedded, and for k steps each query takes one of its
25 hardest pairs of positive and negative, by chance (`training/mining.py`). Random boxes are erased
whose largest size grows during the training; flips and crops, which brought its authors nothing,
are left out.

There is no code of its authors. What a summary of the paper says is the pooling, the loss, the
phases, the pool and the boxes. From memory, or from a third party's re-implementation that agrees
with it, and not verified: ResNet-101, images of 416 pixels, 2048 values, N = 5000, k = 16, m = 0.1,
64 triplets, 4,096 steps at 1e-3, halved every 512. Not known, and ours: the recipe of the
classification, and that positive and negative are drawn together.

Deviations. Images are of one size (416x208; those of Market-1501 keep their shape); the erased box
has the mean colour, not noise; gradients of a batch are computed at once, with the batch norms
as the classification left them, since triplets one at a time have no statistics.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.modules.batchnorm import _BatchNorm

from reidpipe.formats.settings.training import Phase, Pool, Recipe, Shuffled
from reidpipe.layers.heads import Linear
from reidpipe.layers.resnet import Backbone as ResNet
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
    Size,
)
from reidpipe.systems import System

RANKING = "ranking"


class Network(System):
    """Images [B, 3, H, W] -> unit vectors [B, D], and scores [B, C] of what they were before."""

    backbone: ResNet
    ranking: Tensor
    """Whether the phase of the triplets has begun."""

    def __init__(
        self,
        num_classes: int,
        *,
        backbone: Backbone = "resnet101",
        embedding: PositiveInt = 2048,
        margin: PositiveFloat = 0.1,
    ) -> None:
        super().__init__(num_classes, backbone=backbone, embedding=embedding, margin=margin)
        self.margin = margin
        self.backbone = ResNet(backbone, last_stride=2)
        self.projection = nn.Linear(self.backbone.channels, embedding)
        self.head = Linear(embedding, num_classes, bias=True, std=0.01)
        self.width = embedding
        self.register_buffer("ranking", torch.tensor(False))  # noqa: FBT003

    def train(self, mode: bool = True) -> Self:
        """Ranking uses the statistics of the batch norms, and does not change them."""
        super().train(mode)
        if mode and self.ranking:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def begin(self, phase: str) -> None:
        """Remember it."""
        self.ranking.fill_(phase == RANKING)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """`feature` [B, D], with a norm of 1, and `scores` [B, C]."""
        vector = self._vector(images)
        return {"feature": F.normalize(vector), "scores": self.head(vector)}

    def losses(self, out: Mapping[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """Cross-entropy, or the loss of the triplets; the other is 0."""
        nothing = out["scores"].new_zeros(())
        if not self.ranking:
            return {"ce": F.cross_entropy(out["scores"], labels), "triplet": nothing}
        return {"ce": nothing, "triplet": ranked(out["feature"], self.margin)}

    def embed(self, images: Tensor) -> Tensor:
        """The unit vector."""
        return F.normalize(self._vector(images))

    def _vector(self, images: Tensor) -> Tensor:
        feature_map: Tensor = self.backbone(images)
        pooled = feature_map.amax((2, 3)).to(single(feature_map.dtype))
        with in_full(images.device):  # distances of bfloat16 would be far from those of the images
            out: Tensor = self.projection(pooled)
        return out

    def last_map(self) -> nn.Module:
        """The last stage of the ResNet."""
        return self.backbone.layer4

    def classifiers(self) -> list[nn.Module]:
        """The one of the first phase."""
        return [self.head]


def ranked(feature: Tensor, margin: float) -> Tensor:
    """Mean loss of unit vectors [3 T, D]: query, positive and negative in turns."""
    query, positive, negative = feature.unflatten(0, (-1, 3)).unbind(1)  # type: ignore[no-untyped-call]
    near, far = (((query - other) ** 2).sum(1) for other in (positive, negative))
    loss: Tensor = (margin + near - far).relu().mean() / 2
    return loss


def recipe(
    *,
    image_size: Size = (416, 208),
    augment: Annotated[dict[str, Any], Keywords("images/transforms.py", "augment")] = {  # noqa: B006
        "flip": 0.0,
        "pad": 0,
    },
    batch_size: BatchSize = 64,
    epochs: PositiveInt = 60,
    lr: PositiveFloat = 0.01,
    milestones: Milestones = (40,),
    weight_decay: NonNegativeFloat = 5e-4,
    pool: PositiveInt = 5000,
    triplets: BatchSize = 64,
    updates: PositiveInt = 16,
    hardest: PositiveInt = 25,
    pools: PositiveInt = 256,
    ranking_lr: PositiveFloat = 1e-3,
    ranking_decay: NonNegativeFloat = 5e-5,
    halving: NonNegativeInt = 32,
) -> Recipe:
    """SGD: identities on shuffled images, then triplets from one pool after another.

    Args:
        image_size: height, width in pixels.
        augment: what is done to an image; without `growing`, or with 0, the boxes grow over all
            epochs, of which a pool is one.
        batch_size: images of a batch of the classification.
        epochs: of the classification.
        lr: its learning rate.
        milestones: its epochs at which the rate falls to a tenth.
        weight_decay: its own.
        pool: N, images of a pool.
        triplets: of a batch of the ranking.
        updates: k, batches that are made of one pool.
        hardest: pairs of which chance takes one.
        pools: epochs of the ranking.
        ranking_lr: its learning rate.
        ranking_decay: its weight decay.
        halving: pools after which its rate is halved, again and again; 0: never.
    """
    classes = Phase(
        name="classification",
        epochs=epochs,
        optimiser="sgd",
        lr=lr,
        weight_decay=weight_decay,
        milestones=milestones,
    )
    ranks = Phase(
        name=RANKING,
        epochs=pools,
        optimiser="sgd",
        lr=ranking_lr,
        weight_decay=ranking_decay,
        milestones=tuple(range(halving, pools, halving)) if halving else (),
        gamma=0.5,
        frozen=("head",),
        pool=Pool(images=pool, triplets=triplets, updates=updates, hardest=hardest),
    )
    return Recipe(
        image_size=image_size,
        batches=Shuffled(size=batch_size),
        augment={**augment, "growing": augment.get("growing") or epochs + pools},
        phases=(classes, ranks),
    )

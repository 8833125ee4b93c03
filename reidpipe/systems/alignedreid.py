"""AlignedReID: Surpassing Human-Level Performance in Person Re-Identification, Zhang et al., 2017.

https://arxiv.org/abs/1711.08184. The last map of a ResNet gives a global feature, its mean, and a
local one: its mean over each row, reduced by a 1x1 convolution with batch norm and ReLU. Images are
compared globally by Euclidean distance, locally by `losses/aligned.py`. With the hardest p and n of
each anchor by the *global* distance

    L = mean [m + D_g(a, p) - D_g(a, n)]+  +  mean [m + D_l(a, p) - D_l(a, n)]+,  m = 0.3

The local branch is for training alone: the search uses the global feature. With `mutual` two
networks learn together, and each is drawn to the distances M of the other, which is held fixed:

    L_A += mean over pairs (M_A - M_B)^2

Where the paper is silent this is a reproduction (huanghoujing/AlignedReID-Re-Production-Pytorch,
2e2d454): no identity loss, which the paper has and which lowered its result; 128 local channels;
P x K = 32 x 4; a rate that falls to a thousandth over the second half.

Deviations. The published number is of a network trained on several data sets together, which the
terms of two of them forbid; 300 passes over the identities are 70 epochs of Market-1501, by images.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from reidpipe.formats.settings.training import Identities, Phase, Recipe
from reidpipe.layers.convolutions import convolution
from reidpipe.layers.pooling import average
from reidpipe.layers.resnet import Backbone as ResNet
from reidpipe.losses.aligned import local_distance
from reidpipe.losses.triplet import in_order, mined
from reidpipe.runtime.machine import in_full, single
from reidpipe.runtime.settings import (
    Backbone,
    BatchSize,
    Keywords,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Size,
)
from reidpipe.systems import System


class Network(System):
    """Images [B, 3, H, W] -> global and local features; descriptors [B, D], the global one."""

    backbone: ResNet
    metric = "euclidean"

    def __init__(
        self,
        num_classes: int,
        *,
        backbone: Backbone = "resnet50",
        last_stride: Literal[1, 2] = 2,
        local: PositiveInt = 128,
        margin: PositiveFloat = 0.3,
        mutual: bool = False,
    ) -> None:
        super().__init__(
            num_classes,
            backbone=backbone,
            last_stride=last_stride,
            local=local,
            margin=margin,
            mutual=mutual,
        )
        self.margin = margin
        self.backbone = ResNet(backbone, last_stride)
        self.local = convolution(self.backbone.channels, local, bias=True)
        self.width = self.backbone.channels
        # The second network learns beside the first, and is not used after training.
        self.peer = nn.ModuleDict()
        if mutual:
            trunk = ResNet(backbone, last_stride)
            self.peer.update({"trunk": trunk, "local": convolution(self.width, local, bias=True)})

    def start_from(self, tensors: Mapping[str, Tensor]) -> None:
        """Both networks from the same trunk."""
        super().start_from(tensors)
        if self.peer:
            self.peer["trunk"].load_state_dict(self.backbone.state_dict())

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """`global` [B, D] and `local` [B, H, R], from the top; `peer_` of a second network too."""
        whole, local = features(self.backbone, self.local, images)
        found = {"global": whole, "local": local}
        if self.peer:
            whole, local = features(self.peer["trunk"], self.peer["local"], images)
            found |= {"peer_global": whole, "peer_local": local}
        return found

    def losses(self, out: Mapping[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """The two hinges, of two networks their sums; and how far apart their distances are."""
        with in_full(labels.device):
            terms = self._hinges(out["global"], out["local"], labels)
            if self.peer:
                others = self._hinges(out["peer_global"], out["peer_local"], labels)
                terms = {name: terms[name] + others[name] for name in terms}
                terms["mutual"] = mutual(out["global"], out["peer_global"])
        return terms

    def _hinges(self, whole: Tensor, local: Tensor, labels: Tensor) -> dict[str, Tensor]:
        positive, negative = mined(whole, labels)
        far, near = (
            torch.linalg.vector_norm(whole - whole[i], dim=1) for i in (positive, negative)
        )
        d_ap, d_an = (local_distance(local, local[i]) for i in (positive, negative))
        return {
            "global": (self.margin + far - near).relu().mean(),
            "local": (self.margin + d_ap - d_an).relu().mean(),
        }

    def right(self, out: Mapping[str, Tensor], labels: Tensor) -> Tensor:
        """Nothing is classified: the farthest positive is nearer than the nearest negative."""
        return in_order(out["global"], labels)

    def embed(self, images: Tensor) -> Tensor:
        """The global feature."""
        return average(self.backbone(images))

    def last_map(self) -> nn.Module:
        """The last stage of the ResNet."""
        return self.backbone.layer4

    def classifiers(self) -> list[nn.Module]:
        """None of identities; what a second network has."""
        return [self.peer]


def features(trunk: nn.Module, reduced: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Global [B, D] and local [B, H, R]."""
    feature_map: Tensor = trunk(images)
    with in_full(images.device):  # distances of bfloat16 would be far from those of the images
        rows = reduced(feature_map.mean(3, keepdim=True, dtype=single(feature_map.dtype)))
    return average(feature_map), rows[..., 0].mT


def mutual(first: Tensor, second: Tensor) -> Tensor:
    """How far the distances within [B, D] are from those within [B, D'], either side held once."""
    one, other = (distances(feature) for feature in (first, second))
    return ((one - other.detach()) ** 2 + (one.detach() - other) ** 2).mean()


def distances(feature: Tensor) -> Tensor:
    """Euclidean, of all pairs of [B, D]: [B, B]."""
    found: Tensor = torch.linalg.vector_norm(feature[:, None] - feature, dim=2)
    return found


def recipe(
    *,
    image_size: Size = (256, 128),
    identities: PositiveInt = 32,
    images: BatchSize = 4,
    augment: Annotated[dict[str, Any], Keywords("images/transforms.py", "augment")] = {  # noqa: B006
        "pad": 0,
        "erase": 0.0,
    },
    epochs: PositiveInt = 70,
    lr: PositiveFloat = 2e-4,
    weight_decay: NonNegativeFloat = 5e-4,
    falling_from: NonNegativeInt = 35,
) -> Recipe:
    """Adam on P x K batches, at one rate and then at one that falls to a thousandth.

    Args:
        image_size: height, width in pixels.
        identities: P.
        images: K.
        augment: what is done to an image; of the reproduction flips alone.
        epochs: of the only phase.
        lr: learning rate.
        weight_decay: added to the gradients, as Adam has it.
        falling_from: the epoch from which on the rate falls, to a thousandth at the end.
    """
    phase = Phase(
        epochs=epochs,
        optimiser="adam",
        lr=lr,
        weight_decay=weight_decay,
        decay="exponential",
        milestones=(falling_from,) if falling_from else (),
        gamma=1e-3,
    )
    batches = Identities(identities=identities, images=images)
    return Recipe(image_size=image_size, batches=batches, augment=augment, phases=(phase,))

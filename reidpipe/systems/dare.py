"""Resource Aware Person Re-identification across Multiple Resolutions, Wang et al., CVPR 2018.

https://arxiv.org/abs/1805.08805 (DaRe). Behind each of the four stages of a ResNet stand average
pooling and two linear maps, with batch norm and ReLU between them, that give phi_1 .. phi_4; a
learned sum of these is the descriptor. There are no identities to classify:

    phi = sum_s w_s phi_s
    L = sum over phi_1 .. phi_4, phi of mean over anchors of log(1 + exp(max_p D - min_n D))

with the Euclidean distance D and p, n as in `losses/triplet.py`. Where the paper is silent this is
its authors' code (mileyan/DARENet, ce037bc): 1024 hidden and 128 final values, P = 18, random
erasing up to a fifth of the image, a rate that falls to a thousandth over the second half, during
which Adam's first beta is 0.5.

With `trunk: densenet201` the four stages are dense blocks, of which the first three have a batch
norm and ReLU of their own before the pooling, as in that code.

Deviations. ResNet-50, where the row of the tables is of DenseNet-201 (from memory); 60,000
iterations are 334 epochs of Market-1501; images are padded and cropped, where the authors enlarge
and crop; the erased box has the mean colour, not noise; biases start at 0; the second half begins
with fresh moments; the search uses one view, not the mean of ten crops.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from reidpipe.formats.settings.training import Identities, Phase, Recipe
from reidpipe.layers.densenet import CHANNELS, DenseNet
from reidpipe.layers.pooling import average
from reidpipe.layers.resnet import Backbone as ResNet
from reidpipe.layers.resnet import width
from reidpipe.losses.triplet import batch_hard, in_order
from reidpipe.runtime.machine import in_full
from reidpipe.runtime.settings import (
    Backbone,
    BatchSize,
    Keywords,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    Share,
    Size,
)
from reidpipe.systems import System


class Network(System):
    """Images [B, 3, H, W] -> phi_1 .. phi_4 and phi; descriptors [B, D], phi."""

    backbone: ResNet | DenseNet
    metric = "euclidean"

    def __init__(
        self,
        num_classes: int,
        *,
        trunk: Literal["resnet", "densenet201"] = "resnet",
        backbone: Backbone = "resnet50",
        hidden: PositiveInt = 1024,
        embedding: PositiveInt = 128,
    ) -> None:
        super().__init__(
            num_classes, trunk=trunk, backbone=backbone, hidden=hidden, embedding=embedding
        )
        if trunk == "resnet":
            self.backbone = ResNet(backbone, last_stride=2)
            channels = [width(blocks[-1]) for blocks in self.backbone.stages()]
        else:
            self.backbone = DenseNet()
            channels = list(CHANNELS)
        own = () if trunk == "resnet" else channels[:-1]
        self.norms = nn.ModuleList(nn.BatchNorm2d(count) for count in own)
        self.heads = nn.ModuleList(head(count, hidden, embedding) for count in channels)
        self.fusion = nn.Conv1d(len(channels), 1, 1, bias=False)
        self.width = embedding

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """`stages` [B, 4, D] and `fused` [B, D]."""
        maps = self.backbone.maps(images)
        for stage, norm in enumerate(self.norms):
            maps[stage] = norm(maps[stage]).relu()
        pooled = [average(found) for found in maps]
        with in_full(images.device):  # distances of bfloat16 would be far from those of the images
            phis = [part(vector) for part, vector in zip(self.heads, pooled, strict=True)]
            stages = torch.stack(phis, dim=1)
            return {"stages": stages, "fused": self.fusion(stages)[:, 0]}

    def losses(self, out: Mapping[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """A triplet loss each."""
        names = [f"stage{number + 1}" for number in range(out["stages"].shape[1])]
        vectors = dict(zip(names, out["stages"].unbind(1), strict=True)) | {"fused": out["fused"]}
        return {name: batch_hard(phi, labels, margin="soft") for name, phi in vectors.items()}

    def right(self, out: Mapping[str, Tensor], labels: Tensor) -> Tensor:
        """Nothing is classified: phi has the farthest positive nearer than the nearest negative."""
        return in_order(out["fused"], labels)

    def embed(self, images: Tensor) -> Tensor:
        """Phi."""
        return self(images)["fused"]  # type: ignore[no-any-return]

    def last_map(self) -> nn.Module:
        """The last stage of the ResNet, or the last batch norm of the DenseNet."""
        trunk = self.backbone
        return trunk.layer4 if isinstance(trunk, ResNet) else trunk.features.norm5

    def classifiers(self) -> list[nn.Module]:
        """None."""
        return []


def head(channels: int, hidden: int, embedding: int) -> nn.Sequential:
    """[B, C] -> phi_s [B, D]."""
    first = (nn.Linear(channels, hidden), nn.BatchNorm1d(hidden), nn.ReLU(inplace=True))
    return nn.Sequential(*first, nn.Linear(hidden, embedding))


def recipe(
    *,
    image_size: Size = (256, 128),
    identities: PositiveInt = 18,
    images: BatchSize = 4,
    augment: Annotated[dict[str, Any], Keywords("images/transforms.py", "augment")] = {  # noqa: B006
        "largest": 0.2
    },
    epochs: PositiveInt = 167,
    falling_epochs: PositiveInt = 167,
    lr: PositiveFloat = 3e-4,
    weight_decay: NonNegativeFloat = 1e-4,
    beta1: Share = 0.5,
) -> Recipe:
    """Adam on P x K batches: at one rate, then at a falling one.

    Args:
        image_size: height, width in pixels.
        identities: P.
        images: K.
        augment: what is otherwise than in the ReID baselines.
        epochs: at the full rate.
        falling_epochs: over which the rate falls to a thousandth.
        lr: the full rate.
        weight_decay: added to the gradients, as Adam has it.
        beta1: Adam's, while the rate falls.
    """
    full = Phase(name="full", epochs=epochs, optimiser="adam", lr=lr, weight_decay=weight_decay)
    change = {"name": "falling", "epochs": falling_epochs, "momentum": beta1}
    falling = full.model_copy(update={**change, "decay": "exponential", "gamma": 1e-3})
    batches = Identities(identities=identities, images=images)
    return Recipe(image_size=image_size, batches=batches, augment=augment, phases=(full, falling))

"""Attention-Aware Compositional Network for Person Re-identification, Xu et al., CVPR 2018 (AACN).

https://arxiv.org/abs/1805.03344. A pose branch finds the joints of a body and the parts between
them; the maps of the parts cut an image's features into vectors, which are weighted by how much of
the part is seen and composed with the global one:

    f_p = mean over pixels of M_p F,   v_p = mean over pixels of M_p
    f = BN(W (s_1 f_1, .. s_P f_P, mean F)),   s = sigmoid(A v + b)

Pose-guided part attention (`Pose`): two stages, each with heads for joints, rigid parts and limbs;
the second sees what the first has found. It is trained beforehand with squared errors and frozen.

There is no code of its authors, and what is known of the paper is from memory: the two parts and
their names, the heads, the visibility; the number of parts (here 3 and 8), the network of the pose
branch and all schedules are ours. Nobody's pose labels are used: the branch learns on synthetic
people, whose joints the generator knows (`training/pose.py`). On photographs of real people it is
an extrapolation that was not measured.

Deviations. Those; ResNet-50 in place of GoogLeNet; the pose branch has early layers of its own,
since the features that it was trained on would move; joint training of both is left out.
"""

from collections.abc import Mapping
from typing import Annotated, Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from reidpipe.errors import UserError
from reidpipe.formats.pose import JOINTS, LIMBS, RIGID
from reidpipe.formats.settings.training import Group, Phase, Recipe, Shuffled
from reidpipe.layers.convolutions import convolution
from reidpipe.layers.heads import Linear
from reidpipe.layers.pooling import average
from reidpipe.layers.resnet import Backbone as ResNet
from reidpipe.layers.resnet import width
from reidpipe.layers.trunks import load, load_trunk
from reidpipe.runtime.machine import in_full, single
from reidpipe.runtime.settings import (
    Backbone,
    BatchSize,
    Keywords,
    Milestones,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    Size,
)
from reidpipe.systems import System

PARTS = len(RIGID) + len(LIMBS)
MAPS = len(JOINTS) + PARTS
"""Of the pose branch: joints, then rigid parts, then limbs."""
STAGES = 2
POSE = "pose."
"""What the names of the pose branch's tensors begin with, in a file and in the network."""


class Network(System):
    """Images [B, 3, H, W] -> scores [B, C]; descriptors [B, D]."""

    backbone: ResNet

    def __init__(
        self,
        num_classes: int,
        *,
        backbone: Backbone = "resnet50",
        pose_width: PositiveInt = 128,
        composed: PositiveInt = 1024,
    ) -> None:
        super().__init__(num_classes, backbone=backbone, pose_width=pose_width, composed=composed)
        self.backbone = ResNet(backbone)
        self.pose = Pose(backbone, pose_width)
        for weight in self.pose.parameters():
            weight.requires_grad = False
        self.relevance = nn.Linear(PARTS, PARTS)
        self.composition = nn.Sequential(
            nn.Linear((PARTS + 1) * self.backbone.channels, composed, bias=False),
            nn.BatchNorm1d(composed),
        )
        self.head = Linear(composed, num_classes)
        self.width = composed

    def start_from(self, tensors: Mapping[str, Tensor]) -> None:
        """The trunk and the pose branch, of what the stage `pose` has written."""
        own = {key: tensors[key] for key in tensors if key.startswith(POSE)}
        trunk = {key: tensors[key] for key in tensors if key not in own}
        pose = {key.removeprefix(POSE): own[key] for key in own}
        load(self.pose, pose, self.pose.state_dict(), "the pose branch that the stage pose trains")
        if trunk:
            load_trunk(self.backbone, trunk)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """`scores` [B, C]."""
        return {"scores": self.head(self.embed(images))}

    def losses(self, out: Mapping[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """Cross-entropy."""
        return {"ce": F.cross_entropy(out["scores"], labels)}

    def embed(self, images: Tensor) -> Tensor:
        """What the composition gives."""
        with torch.no_grad():
            masks = self.pose(images)[-1][:, len(JOINTS) :].clamp(0, 1)
        feature_map: Tensor = self.backbone(images)
        vectors, visible = aligned(feature_map, masks)
        with in_full(images.device):
            weighed = vectors * self.relevance(visible).sigmoid()[..., None]
            parts = [weighed.flatten(1), average(feature_map)]
            out: Tensor = self.composition(torch.cat(parts, dim=1))
        return out

    def last_map(self) -> nn.Module:
        """The last stage of the ResNet."""
        return self.backbone.layer4

    def classifiers(self) -> list[nn.Module]:
        """The one behind the composition."""
        return [self.head]


class Pose(nn.Module):
    """Images [B, 3, H, W] -> maps [B, 25, H/8, W/8] of each stage."""

    def __init__(self, backbone: str, channels: int) -> None:
        super().__init__()
        whole = ResNet(backbone)
        names = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2")
        self.early = nn.Sequential()
        for name in names:
            self.early.add_module(name, getattr(whole, name))
        seen = width(whole.stages()[1][-1])
        self.stages = nn.ModuleList(
            nn.ModuleList(
                found_by(seen + stage * MAPS, channels, count)
                for count in (len(JOINTS), len(RIGID), len(LIMBS))
            )
            for stage in range(STAGES)
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        features: Tensor = self.early(images)
        x, found = features, []
        for heads in self.stages:
            found.append(torch.cat([head(x) for head in cast("nn.ModuleList", heads)], dim=1))
            x = torch.cat([features, found[-1]], dim=1)
        return found

    def start_from(self, tensors: Mapping[str, Tensor]) -> None:
        """The early layers of a trunk."""
        expected = self.early.state_dict()
        own = {key: tensors[key] for key in expected if key in tensors}
        load(self.early, own, expected, "the trunk of AACN")


def found_by(channels: int, middle: int, out: int) -> nn.Sequential:
    """A head of the pose branch: [B, C, H, W] -> [B, out, H, W]."""
    first, second = convolution(channels, middle, 3), convolution(middle, middle, 3)
    return nn.Sequential(first, second, nn.Conv2d(middle, out, 1))


def aligned(feature_map: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Vectors [B, P, C] of the parts, and how much there is of each, [B, P].

    Args:
        feature_map: [B, C, H, W].
        masks: [B, P, k H, k W], for a whole number k.

    Raises:
        UserError: there is no such number.
    """
    height, width = feature_map.shape[2:]
    if any(large % small for large, small in zip(masks.shape[2:], (height, width), strict=True)):
        raise UserError(
            "the maps of the pose do not divide among the pixels of the last map",
            where="params.yaml: systems.aacn.image_size",
            expected="a height and a width that are multiples of 16",
            found=f"maps of {masks.shape[2]}x{masks.shape[3]} for {height}x{width}",
        )
    kind = single(feature_map.dtype)
    with in_full(feature_map.device):
        blocks = masks.to(kind).unflatten(3, (width, -1)).unflatten(2, (height, -1))  # type: ignore[no-untyped-call]
        weights = blocks.mean((3, 5)).flatten(2)  # [B, P, H W]
        pixels = feature_map.to(kind).flatten(2)
        return weights @ pixels.mT / (height * width), weights.mean(2)


def recipe(
    *,
    image_size: Size = (448, 192),
    batch_size: BatchSize = 64,
    augment: Annotated[dict[str, Any], Keywords("images/transforms.py", "augment")] = {  # noqa: B006
        "erase": 0.0
    },
    epochs: PositiveInt = 60,
    lr: PositiveFloat = 0.1,
    trunk: PositiveFloat = 0.1,
    weight_decay: NonNegativeFloat = 5e-4,
    milestones: Milestones = (40,),
) -> Recipe:
    """SGD on shuffled images; the pose branch stays as it is.

    Args:
        image_size: height, width in pixels.
        batch_size: images of a batch.
        augment: what is done to an image: flips and random places.
        epochs: of the only phase.
        lr: learning rate of what is new.
        trunk: times that: of the trunk.
        weight_decay: of all weights.
        milestones: epochs at which the rate falls to a tenth.
    """
    phase = Phase(
        epochs=epochs,
        optimiser="sgd",
        lr=lr,
        weight_decay=weight_decay,
        milestones=milestones,
        groups=(Group(prefix="backbone.", lr=trunk),),
        frozen=("pose",),
    )
    batches = Shuffled(size=batch_size)
    return Recipe(image_size=image_size, batches=batches, augment=augment, phases=(phase,))

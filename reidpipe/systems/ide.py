"""The ID-discriminative embedding, which classification alone teaches: the plainest ResNet.

Person Re-identification: Past, Present and Future, Zheng, Yang & Hauptmann, 2016,
https://arxiv.org/abs/1610.02984.

    f = mean over the map of ResNet(x);  scores = W f + b;  L = L_ce

It is in no table of the paper. It is what torchreid calls `resnet50` and, with `hidden: 512` and
`last_stride: 1`, `resnet50_fc512`, whose files `reidpipe adopt` reads, as those of timm's and
torchvision's ResNets. The recipe is torchreid's (KaiyangZhou/deep-person-reid,
configs/im_r50_softmax_256x128_amsgrad.yaml).

Deviations. torchreid compares by Euclidean distance, ours by the cosine unless the parameters say
otherwise; its code of today lets the classifier learn alone for five of the sixty epochs, ours
before them.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from reidpipe.formats.settings.training import Phase, Recipe, Shuffled
from reidpipe.layers.heads import Linear
from reidpipe.layers.pooling import average
from reidpipe.layers.resnet import Backbone as ResNet
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
    """Images [B, 3, H, W] -> scores [B, C]; descriptors [B, D], D of `hidden` if there is one."""

    backbone: ResNet

    def __init__(
        self,
        num_classes: int,
        *,
        backbone: Backbone = "resnet50",
        last_stride: Literal[1, 2] = 2,
        hidden: NonNegativeInt = 0,
        label_smoothing: Fraction = 0.1,
    ) -> None:
        options = {"backbone": backbone, "last_stride": last_stride, "hidden": hidden}
        super().__init__(num_classes, **options, label_smoothing=label_smoothing)
        self.label_smoothing = label_smoothing
        self.backbone = ResNet(backbone, last_stride)
        self.width = hidden or self.backbone.channels
        self.hidden: nn.Module = nn.Identity()
        if hidden:
            linear = Hidden(self.backbone.channels, hidden)
            self.hidden = nn.Sequential(linear, nn.BatchNorm1d(hidden), nn.ReLU())
        self.head = Linear(self.width, num_classes, bias=True, std=0.01)

    def embed(self, images: Tensor) -> Tensor:
        """The mean of the last map, or what the hidden layer makes of it."""
        out: Tensor = self.hidden(average(self.backbone(images)))
        return out

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """`scores` [B, C]."""
        return {"scores": self.head(self.embed(images))}

    def losses(self, out: Mapping[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """Cross-entropy, smoothed as in `ours`."""
        found = F.cross_entropy(out["scores"], labels, label_smoothing=self.label_smoothing)
        return {"ce": found}

    def last_map(self) -> nn.Module:
        """The last stage of the ResNet."""
        return self.backbone.layer4

    def classifiers(self) -> list[nn.Module]:
        """The one behind the descriptor."""
        return [self.head]


class Hidden(nn.Linear):
    """A linear map that starts as torchreid's: normal with deviation 0.01, bias 0."""

    def start(self, generator: torch.Generator) -> None:
        """As the class says."""
        nn.init.normal_(self.weight, std=0.01, generator=generator)
        nn.init.zeros_(self.bias)


def recipe(
    *,
    image_size: Size = (256, 128),
    batch_size: BatchSize = 32,
    augment: Annotated[dict[str, Any], Keywords("images/transforms.py", "augment")] = {  # noqa: B006
        "pad": 0,
        "erase": 0.0,
    },
    lr: PositiveFloat = 3e-4,
    weight_decay: NonNegativeFloat = 5e-4,
    head_epochs: NonNegativeInt = 5,
    epochs: PositiveInt = 60,
    milestones: Milestones = (20,),
) -> Recipe:
    """AMSGrad, first for the classifier alone.

    Args:
        image_size: height, width in pixels.
        batch_size: images of a batch.
        augment: what is done to an image: flips alone.
        lr: learning rate.
        weight_decay: of all weights.
        head_epochs: in which the classifier learns alone.
        epochs: of the whole network.
        milestones: epochs of the whole network at which the rate falls to a tenth.
    """
    whole = Phase(
        name="all",
        epochs=epochs,
        optimiser="amsgrad",
        lr=lr,
        weight_decay=weight_decay,
        milestones=milestones,
    )
    phases = [whole]
    if head_epochs:
        change = {"name": "classifier", "epochs": head_epochs, "milestones": ()}
        phases.insert(0, whole.model_copy(update={**change, "frozen": ("backbone", "hidden")}))
    batches = Shuffled(size=batch_size)
    return Recipe(image_size=image_size, batches=batches, augment=augment, phases=tuple(phases))

"""SVDNet for Pedestrian Retrieval, Sun et al., ICCV 2017, https://arxiv.org/abs/1703.05693.

Behind the average pooling of a ResNet stands the Eigenlayer, a linear map D -> E without bias, norm
or ReLU, whose columns w_1 .. w_E are made orthogonal again and again, so that a Euclidean search on
its output counts no direction twice. With W = [w_1 .. w_E]:

    restraint and relaxation iteration (RRI), 7 times:
      decorrelation   W = U S V^T, W <- U S, then columns in the order and sign of the old ones
      restraint       train with W fixed
      relaxation      train with W free
    S(W) = sum_i G_ii / sum_ij |G_ij|,  G = W^T W    (1 where columns are orthogonal)

W and U S give the same distances, since V is a rotation. Where the paper is silent this is its
authors' code (syfafterzy/SVDNet-for-Pedestrian-Retrieval, 439ae0e): a dropout of 0.5, plain
cross-entropy, batch norms of the backbone that keep their statistics throughout, and a relaxation
in which the first two stages and all batch norms are fixed (`relax: partial`).

Deviations. Images are divided by the standard deviation too, not only freed of the mean; the ResNet
is torchvision's, with the stride of a block in its 3x3 convolution, where
Caffe's has it in the first 1x1; 25,000 and 8,000 iterations of 16 images are 31 and 10 epochs of
Market-1501; a batch that the last images do not fill is dropped.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.modules.batchnorm import _BatchNorm

from reidpipe.errors import UserError
from reidpipe.formats.settings.training import Group, Phase, Recipe, Shuffled
from reidpipe.layers.dropout import Dropout
from reidpipe.layers.heads import Linear
from reidpipe.layers.pooling import average
from reidpipe.layers.resnet import Backbone as ResNet
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

RESTRAINT, RELAXATION = "restraint", "relaxation"
EARLY = ("backbone.conv1", "backbone.bn1", "backbone.layer1", "backbone.*.bn*")
"""What a partial relaxation leaves fixed; batch norms of shortcuts stand in `downsample.1`."""


class Network(System):
    """Images [B, 3, H, W] -> scores [B, C]; descriptors [B, E], compared by Euclidean distance."""

    backbone: ResNet
    metric = "euclidean"

    def __init__(
        self,
        num_classes: int,
        *,
        backbone: Backbone = "resnet50",
        eigen: PositiveInt = 1024,
        dropout: Dropped = 0.5,
    ) -> None:
        super().__init__(num_classes, backbone=backbone, eigen=eigen, dropout=dropout)
        self.backbone = ResNet(backbone, last_stride=2)
        if eigen > self.backbone.channels:
            raise UserError(
                "the Eigenlayer has more columns than rows: they cannot be orthogonal",
                where="params.yaml: systems.svdnet.eigen",
                expected=f"at most {self.backbone.channels}, the channels of {backbone}",
                found=eigen,
            )
        self.eigenlayer = Linear(self.backbone.channels, eigen, std=0.01)
        self.dropout = Dropout(dropout)
        self.head = Linear(eigen, num_classes, bias=True, std=0.01)
        self.width = eigen

    def train(self, mode: bool = True) -> Self:
        """Batch norms always use, and never change, the statistics that they came with."""
        super().train(mode)
        for module in self.backbone.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
        return self

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """`scores` [B, C]."""
        return {"scores": self.head(self.dropout(self.embed(images)))}

    def losses(self, out: Mapping[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """Cross-entropy."""
        return {"ce": F.cross_entropy(out["scores"], labels)}

    def embed(self, images: Tensor) -> Tensor:
        """What the Eigenlayer gives."""
        out: Tensor = self.eigenlayer(average(self.backbone(images)))
        return out

    def begin(self, phase: str) -> None:
        """A restraint begins with the decorrelation."""
        if phase == RESTRAINT:
            weight = self.eigenlayer.weight.detach()
            weight.copy_(decorrelated(weight.T.double().cpu()).T)

    def watched(self) -> dict[str, float]:
        """S(W)."""
        return {"orthogonality": orthogonality(self.eigenlayer.weight.detach().T.double())}

    def last_map(self) -> nn.Module:
        """The last stage of the ResNet."""
        return self.backbone.layer4

    def classifiers(self) -> list[nn.Module]:
        """The one behind the Eigenlayer."""
        return [self.head]


def decorrelated(weight: Tensor) -> Tensor:
    """U S of `weight` [D, E], D at least E, with each column where the old one most like it was.

    For the old columns in order, the column not yet taken whose |cosine| is the largest takes the
    place, with the sign of that cosine. So the result does not depend on the signs and the order in
    which a library gives singular vectors.
    """
    left, singular, _ = torch.linalg.svd(weight, full_matrices=False)
    columns = left * singular
    cosine = F.normalize(weight, dim=0).T @ F.normalize(columns, dim=0)
    likeness = cosine.abs()
    found = torch.empty_like(columns)
    for old in range(len(cosine)):
        new = int(likeness[old].argmax())
        found[:, old] = columns[:, new] if cosine[old, new] >= 0 else -columns[:, new]
        likeness[:, new] = -1.0
    return found


def orthogonality(weight: Tensor) -> float:
    """S(W) of `weight` [D, E]: 1 where its columns are orthogonal, 1 / E where they are equal."""
    gram = weight.T @ weight
    return float(gram.diagonal().sum() / gram.abs().sum())


def recipe(
    *,
    image_size: Size = (224, 224),
    batch_size: BatchSize = 16,
    augment: Annotated[dict[str, Any], Keywords("images/transforms.py", "augment")] = {  # noqa: B006
        "pad": 0,
        "erase": 0.0,
    },
    epochs: PositiveInt = 31,
    milestones: Milestones = (12, 25),
    lr: PositiveFloat = 1e-3,
    weight_decay: NonNegativeFloat = 5e-4,
    rri: PositiveInt = 7,
    rri_early: PositiveInt = 3,
    rri_epochs: PositiveInt = 10,
    rri_milestones: Milestones = (6,),
    relax: Literal["partial", "all"] = "partial",
) -> Recipe:
    """SGD: a base training, then restraint and relaxation in turns.

    Args:
        image_size: height, width in pixels.
        batch_size: images of a batch.
        augment: what is done to an image; of the authors' code flips alone.
        epochs: of the base training.
        milestones: epochs of it at which the rate falls to a tenth.
        lr: learning rate of the base training and of the first iterations.
        weight_decay: of all weights but the classifier's bias, which learns twice as fast.
        rri: iterations of restraint and relaxation.
        rri_early: how many of them have `lr`; the others have a tenth of it.
        rri_epochs: of each restraint and each relaxation.
        rri_milestones: epochs of each at which the rate falls to a tenth.
        relax: what a relaxation trains: all but the first two stages and the batch norms, or all.
    """

    def phase(name: str, rate: float, frozen: tuple[str, ...] = ()) -> Phase:
        base = name == "base"
        return Phase(
            name=name,
            epochs=epochs if base else rri_epochs,
            optimiser="sgd",
            lr=rate,
            weight_decay=weight_decay,
            milestones=milestones if base else rri_milestones,
            groups=(Group(prefix="head.bias", lr=2.0, weight_decay=0.0),),
            frozen=frozen,
        )

    fixed = (*EARLY, "backbone.*.downsample.1") if relax == "partial" else ()
    phases = [phase("base", lr)]
    for number in range(rri):
        rate = lr if number < rri_early else lr / 10
        phases += [phase(RESTRAINT, rate, ("eigenlayer",)), phase(RELAXATION, rate, fixed)]
    batches = Shuffled(size=batch_size)
    return Recipe(image_size=image_size, batches=batches, augment=augment, phases=tuple(phases))

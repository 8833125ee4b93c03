"""Beyond Part Models: Person Retrieval with Refined Part Pooling, Sun et al., ECCV 2018.

https://arxiv.org/abs/1711.09349. Refined part pooling: a finished PCB (`pcb`) whose stripes are
replaced by p soft masks over the last map T, so that a pixel may belong to another part than its
row's. With u(T) the means of T over groups of 8 channels, each less its mean over the map:

    m = softmax over parts of (W u(T) + b),    g_i = mean over pixels of p m_i T

In the induced training W and b alone learn, and PCB's own dropout is off, so that the masks find
what the classifiers of its stripes know; then everything learns. The rest is PCB's.

Where the paper is silent this is its authors' code (syfafterzy/PCB_RPP_for_reID, e29cf54), of which
the groups, the subtraction and a dropout of 0.5 before them are; the paper's part classifier is one
linear map of the pixel's whole column (from memory). That code has no induced training: `released`
is its recipe from where PCB has been trained for 20 epochs.

Deviations. The rates of the paper's recipe are from memory and not verified.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from torch import Tensor, nn

from reidpipe.formats.settings.training import Group, Phase, Recipe, Shuffled
from reidpipe.layers.dropout import Dropout
from reidpipe.layers.trunks import load
from reidpipe.runtime.machine import in_full, single
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
from reidpipe.systems import pcb

MASKS = "masks"
GROUP = 8
"""Channels of which one mean is taken."""


class Network(pcb.Network):
    """Images [B, 3, H, W] -> scores of each part; descriptors [B, p C]."""

    follows = "pcb"

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
        self.masks = nn.Sequential(
            Dropout(dropout), Grouped(), nn.Conv2d(self.backbone.channels // GROUP, parts, 1)
        )

    def start_from(self, tensors: Mapping[str, Tensor]) -> None:
        """All of a finished PCB."""
        state = self.state_dict()
        expected = {key: state[key] for key in state if not key.startswith(f"{MASKS}.")}
        load(self, tensors, expected, "a finished PCB of these identities")

    def pooled(self, images: Tensor) -> Tensor:
        """The parts g [B, D, p]."""
        feature_map: Tensor = self.backbone(images)
        scores = self.masks(feature_map)
        kind = single(feature_map.dtype)
        with in_full(images.device):
            masks = scores.to(kind).softmax(1).flatten(2)
            found: Tensor = (
                feature_map.to(kind).flatten(2) @ masks.mT * (self.parts / masks.shape[2])
            )
        return found


class Grouped(nn.Module):
    """Means of groups of channels, less those over the map: [B, C, H, W] -> [B, C / 8, H, W]."""

    def forward(self, x: Tensor) -> Tensor:
        means: Tensor = x.unflatten(1, (-1, GROUP)).mean(2)  # type: ignore[no-untyped-call]
        return means - means.mean((2, 3), keepdim=True)


def recipe(
    *,
    image_size: Size = (384, 128),
    batch_size: BatchSize = 64,
    augment: Annotated[dict[str, Any], Keywords("images/transforms.py", "augment")] = {  # noqa: B006
        "pad": 0,
        "erase": 0.0,
    },
    induced_epochs: PositiveInt = 5,
    epochs: PositiveInt | None = None,
    lr: PositiveFloat = 0.01,
    backbone_rate: PositiveFloat = 0.1,
    weight_decay: NonNegativeFloat = 5e-4,
    milestones: Milestones = (),
    released: bool = False,
) -> Recipe:
    """SGD with Nesterov's momentum on shuffled images: the masks alone, then everything.

    Args:
        image_size: height, width in pixels.
        batch_size: images of a batch.
        augment: what is done to an image; of the authors' code flips alone.
        induced_epochs: of the masks alone.
        epochs: of everything; without a word 20, as released 30.
        lr: of what is not the backbone's.
        backbone_rate: the backbone's part of it; as released it learns as fast.
        weight_decay: of all weights.
        milestones: epochs of everything at which the rate falls to a tenth; without any half of
            them, as released two thirds.
        released: the authors' script.
    """
    length = epochs or (30 if released else 20)
    if not milestones and length > 1:
        milestones = (max(1, length * 2 // 3 if released else length // 2),)
    whole = Phase(
        name="all",
        epochs=length,
        optimiser="nesterov",
        lr=lr,
        weight_decay=weight_decay,
        milestones=milestones,
        groups=() if released else (Group(prefix="backbone.", lr=backbone_rate),),
    )
    change = {"name": MASKS, "epochs": induced_epochs, "milestones": (), "groups": ()}
    fixed = ("backbone", "reduction", "heads", "dropout")
    phases = [whole] if released else [whole.model_copy(update={**change, "frozen": fixed}), whole]
    batches = Shuffled(size=batch_size)
    return Recipe(image_size=image_size, batches=batches, augment=augment, phases=tuple(phases))

"""How networks are trained; without a word on it, as in the paper."""

from typing import Annotated, Any, Literal

from pydantic import Field

from reidpipe.formats.settings.data import Cameras, People
from reidpipe.runtime.settings import (
    Cluster,
    Fraction,
    Keywords,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Section,
)


class Schedule(Section):
    """Adam with linear warm-up and steps: the learning rate as a function of the epoch."""

    epochs: PositiveInt = 120
    lr: PositiveFloat = 3.5e-4
    weight_decay: NonNegativeFloat = 5e-4
    warmup_epochs: NonNegativeInt = 10
    milestones: Annotated[tuple[PositiveInt, ...], Field(strict=False)] = (40, 70)
    gamma: Fraction = 0.1


class Recipe(Schedule, Cluster):
    """The section `train`: everything about a training but its network, data and seed."""

    image_size: Annotated[tuple[PositiveInt, PositiveInt], Field(strict=False)] = (256, 128)
    """Height, width in pixels."""
    identities: PositiveInt = 16
    """P of the P x K batch."""
    images: Annotated[int, Field(ge=2)] = 4
    """K of the P x K batch."""
    augment: Annotated[dict[str, Any], Keywords("images/transforms.py", "augment")] = Field(
        default_factory=dict
    )


class SyntheticWeights(Section):
    """Backbone trained in the weights stage on synthetic people who are in no data set."""

    source: Literal["synthetic"]
    identities: People
    cameras: Cameras
    seed: NonNegativeInt = 0
    schedule: Schedule


class TorchvisionWeights(Section):
    """torchvision's ImageNet file, from REIDPIPE_ARCHIVES or, where `download`, by torchvision."""

    source: Literal["torchvision"]
    file: Annotated[str, Field(min_length=1)]
    sha256: Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")] | None = None
    download: bool = False


WeightsSource = Annotated[SyntheticWeights | TorchvisionWeights, Field(discriminator="source")]

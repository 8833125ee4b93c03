"""How networks are trained, and what they start from."""

from collections.abc import Iterator
from itertools import accumulate
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from reidpipe.runtime.settings import (
    OURS,
    BatchSize,
    Cameras,
    Fraction,
    Keywords,
    Milestones,
    NonNegativeFloat,
    NonNegativeInt,
    People,
    PositiveFloat,
    PositiveInt,
    Section,
    Share,
    Size,
    SystemName,
)


class Identities(Section):
    """P x K batches."""

    identities: PositiveInt
    """P."""
    images: BatchSize
    """K."""

    @property
    def size(self) -> int:
        """Images of a batch."""
        return self.identities * self.images

    def __str__(self) -> str:
        return f"{self.identities} x {self.images}"


class Shuffled(Section):
    """Batches of an epoch's shuffled images; what is left of them when it ends is dropped."""

    size: BatchSize
    """Images of a batch."""

    def __str__(self) -> str:
        return str(self.size)


class Pool(Section):
    """Triplets of images that are near or far where they should not be, found anew in each epoch.

    An epoch is as many batches as are made of one pool; each is query, positive, negative in turns.
    """

    images: PositiveInt
    """Drawn at random from the training set, and embedded."""
    triplets: BatchSize
    """Of a batch."""
    updates: PositiveInt
    """Batches that are made of one pool."""
    hardest: PositiveInt
    """Pairs of positive and negative with the largest difference of distance, of which chance takes
    one."""

    @property
    def size(self) -> int:
        """Images of a batch."""
        return 3 * self.triplets

    def __str__(self) -> str:
        return f"{self.triplets} x 3"


class Group(Section):
    """Parameters whose names begin with `prefix`, and what of the phase's values holds for them."""

    prefix: str
    lr: NonNegativeFloat = 1.0
    """Times the phase's."""
    weight_decay: NonNegativeFloat = 1.0
    """Times the phase's."""


class Phase(Section):
    """Epochs that share an optimiser and a schedule."""

    name: str = "training"
    epochs: PositiveInt
    optimiser: Literal["adam", "amsgrad", "sgd", "nesterov"]
    momentum: Share = 0.9
    """Of SGD; Adam's first beta."""
    lr: PositiveFloat
    weight_decay: NonNegativeFloat
    warmup_epochs: NonNegativeInt = 0
    decay: Literal["steps", "exponential", "cosine"] = "steps"
    milestones: Milestones = ()
    """Epochs of the phase, from 0, from which on the rate is `gamma` times as large; of exponential
    decay the first of them is where it begins."""
    gamma: Fraction = 0.1
    """Of steps: at each milestone. Of exponential decay: at the end of the phase."""
    groups: tuple[Group, ...] = ()
    """The first that fits a parameter holds."""
    frozen: tuple[str, ...] = ()
    """Names of modules without gradients and in evaluation mode; * is anything."""
    pool: Pool | None = None
    """Its batches, where they are not the recipe's."""

    @model_validator(mode="after")
    def _decay_begins_before_the_end(self) -> Self:
        if self.decay == "exponential" and self.milestones and self.milestones[0] >= self.epochs:
            raise ValueError(f"milestones: below {self.epochs}, the epochs")
        return self


class Recipe(Section):
    """How a system is trained: everything but its network, data, seed and machine."""

    image_size: Size
    batches: Identities | Shuffled
    augment: Annotated[dict[str, Any], Keywords("images/transforms.py", "augment")] = Field(
        default_factory=dict
    )
    phases: Annotated[tuple[Phase, ...], Field(min_length=1)]

    @property
    def epochs(self) -> int:
        """Of all phases."""
        return sum(phase.epochs for phase in self.phases)

    def size(self, phase: Phase) -> int:
        """Images of a batch."""
        return (phase.pool or self.batches).size

    def starts(self) -> Iterator[tuple[int, Phase]]:
        """Each phase after the number of epochs that precede it."""
        epochs = [phase.epochs for phase in self.phases]
        return zip(accumulate([0, *epochs[:-1]]), self.phases, strict=True)


class RandomWeights(Section):
    """None: each run draws its own by its seed."""

    source: Literal["random"]


class SyntheticWeights(Section):
    """Trunk trained in the weights stage on synthetic people who are in no data set."""

    source: Literal["synthetic"]
    system: SystemName = OURS
    """Whose trunk it is, with the options of the profile; of Ours without attention."""
    identities: People
    cameras: Cameras
    seed: NonNegativeInt = 0
    train: dict[str, Any] = Field(default_factory=dict)
    """What is otherwise than in the profile's recipe of the system."""


class TorchvisionWeights(Section):
    """torchvision's ImageNet file, from REIDPIPE_ARCHIVES or, where `download`, by torchvision."""

    source: Literal["torchvision"]
    system: SystemName = OURS
    """Whose trunk it is, with the options of the profile."""
    file: Annotated[str, Field(min_length=1)]
    sha256: Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")] | None = None
    download: bool = False


class FileWeights(Section):
    """A user's file of a trunk's tensors from REIDPIPE_ARCHIVES, by the names of the system."""

    source: Literal["file"]
    system: SystemName = OURS
    file: Annotated[str, Field(min_length=1)]
    sha256: Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")]
    """Without it another file of this name would rerun nothing."""


WeightsSource = Annotated[
    RandomWeights | SyntheticWeights | TorchvisionWeights | FileWeights,
    Field(discriminator="source"),
]

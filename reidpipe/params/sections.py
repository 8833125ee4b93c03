"""The sections of params.yaml as typed, frozen models.

Sections have the names of the stages that read them; `loading` is read by two.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    Strict,
    StrictBool,
    field_validator,
    model_validator,
)

from reidpipe.errors import nearest

ATTENTION_DIR = Path(__file__).parents[1] / "models" / "attention"

Profile = Literal["embedded", "paper"]
Layout = Literal["market1501", "dukemtmc", "msmt17"]
Backbone = Literal["resnet10_x0_5", "resnet18", "resnet34", "resnet50", "resnet101"]
Classifier = Literal["linear", "circle", "unified"]
Precision = Literal["fp32", "bf16", "fp16"]
Metric = Literal["cosine", "euclidean"]
Instructions = Literal["native", "avx2"]
# Strict: YAML knows numbers from words and from true, so that nothing need be guessed.
PositiveInt = Annotated[int, Strict(), Field(gt=0)]
NonNegativeInt = Annotated[int, Strict(), Field(ge=0)]
PositiveFloat = Annotated[float, Strict(), Field(gt=0)]
NonNegativeFloat = Annotated[float, Strict(), Field(ge=0)]
Fraction = Annotated[float, Strict(), Field(ge=0, le=1)]
People = Annotated[int, Strict(), Field(gt=0, le=100_000)]
Cameras = Annotated[int, Strict(), Field(ge=2, le=15)]
MD5 = Annotated[str, Field(pattern="^[0-9a-fA-F]{32}$")]
SHA256 = Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")]


class Section(BaseModel):
    """Part of params.yaml: no unknown keys, no changes after reading."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class OnMachine(Section):
    """Where a stage computes."""

    device: str = "auto"
    threads: PositiveInt | None = None
    instructions: Instructions = "native"
    """Of the CPU: avx2 gives the same numbers on any that has it, a fifth slower."""


class OnMachines(OnMachine):
    """Where a stage runs a network over images."""

    precision: Precision = "fp32"
    devices: PositiveInt = 1
    """GPUs a machine; each batch of training, and all batches of extraction, are shared out."""
    nodes: PositiveInt = 1
    """Machines."""


class Counts(Section):
    """Published sizes of a data set: identities and images a subset."""

    train_ids: PositiveInt
    train: PositiveInt
    test_ids: PositiveInt
    query: PositiveInt
    gallery: PositiveInt


class SyntheticSource(Section):
    """Procedural people in a benchmark's layout. Test people have one query a camera they visit."""

    source: Literal["synthetic"]
    layout: Layout
    cameras: Cameras
    train_ids: People
    test_ids: People
    distractors: Annotated[int, Strict(), Field(ge=0, le=100_000)] = 0
    """Market-1501: gallery images of no identity (0000) and, as many, of bad boxes (-1);
    DukeMTMC-reID: gallery images of people who are in no query; MSMT17 has none."""
    seed: NonNegativeInt = 0


class ArchiveSource(Section):
    """A user's archive (zip, tar, tar.gz) or folder in one of the layouts."""

    source: Literal["archive"]
    layout: Layout
    file: Annotated[str, Field(min_length=1)]
    md5: MD5 | None = None
    sha256: SHA256 | None = None
    url: str | None = None
    use_val: bool = False
    counts: Counts | None = None


Source = Annotated[SyntheticSource | ArchiveSource, Field(discriminator="source")]


class Schedule(Section):
    """Adam with linear warm-up and steps: the learning rate as a function of the epoch."""

    epochs: PositiveInt
    lr: PositiveFloat
    weight_decay: NonNegativeFloat
    warmup_epochs: NonNegativeInt
    milestones: tuple[PositiveInt, ...]
    gamma: Fraction = 0.1


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
    sha256: SHA256 | None = None
    download: bool = False


WeightsSource = Annotated[SyntheticWeights | TorchvisionWeights, Field(discriminator="source")]


class TripletParams(Section):
    """Batch-hard triplet loss (1703.07737): a margin in embedding units, or the soft margin."""

    margin: PositiveFloat | Literal["soft"] = 0.3


class CircleParams(Section):
    """Scale s and margin m of the circle and unified classifiers (2002.10857)."""

    scale: PositiveFloat = 64.0
    margin: Fraction = 0.35


class SEParams(Section):
    reduction: PositiveInt = 16
    bias: bool = False


class ECAParams(Section):
    gamma: PositiveInt = 2
    b: NonNegativeInt = 1


class CBAMParams(Section):
    reduction: PositiveInt = 16
    kernel: Literal[3, 7] = 7
    bias: bool = False
    order: Literal["channel-spatial", "spatial-channel"] = "channel-spatial"


class NonLocalParams(Section):
    inner: Literal["half", "one"] = "half"
    form: Literal["embedded", "dot"] = "embedded"


class DANetParams(Section):
    reduction: PositiveInt = 8


class AttentionParams(Section):
    """Options of the attention modules, a section a file of `reidpipe/models/attention/`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    se: SEParams = SEParams()
    eca: ECAParams = ECAParams()
    cbam: CBAMParams = CBAMParams()
    nonlocal_: Annotated[NonLocalParams, Field(alias="nonlocal")] = NonLocalParams()
    danet: DANetParams = DANetParams()

    @model_validator(mode="after")
    def _extra_sections_are_modules(self) -> Self:
        for name, options in (self.model_extra or {}).items():
            if name not in attentions() or not isinstance(options, dict):
                raise ValueError(f"{name!r} is not a file of {ATTENTION_DIR.name}/ with a mapping")
        return self

    def options(self, attention: str) -> dict[str, Any]:
        """Keyword arguments of the module; a new attention without a section has none."""
        return dict(self.model_dump(by_alias=True).get(attention, {}))


class AugmentParams(Section):
    """Flip, padded crop (pixels), random erasing (1708.04896): probabilities and amounts."""

    flip: Fraction = 0.5
    pad: NonNegativeInt = 10
    erase: Fraction = 0.5


class TrainParams(Schedule, OnMachines):
    """One training run; the run's own attention, classifier and triplet come from dvc.yaml."""

    backbone: Backbone
    image_size: tuple[PositiveInt, PositiveInt]
    """Height, width in pixels."""
    identities: PositiveInt
    """P of the P x K batch."""
    images: Annotated[int, Strict(), Field(ge=2)]
    """K of the P x K batch."""
    label_smoothing: Fraction = 0.1
    triplet: TripletParams = TripletParams()
    circle: CircleParams = CircleParams()
    attention: AttentionParams = AttentionParams()
    augment: AugmentParams = AugmentParams()


class ExtractParams(OnMachines):
    batch_size: PositiveInt = 128
    flip: bool = False


class LoadingParams(Section):
    """How training and extraction read images. No result depends on it, so DVC does not ask."""

    workers: NonNegativeInt = 0
    """Processes a device that read and augment; 0: the one that trains does."""
    cache_mb: NonNegativeInt = 4096
    """Decoded training images are kept in memory, a device, when they fit this budget."""


class RerankParams(Section):
    """k-reciprocal re-ranking (1701.08398)."""

    k1: PositiveInt = 20
    k2: PositiveInt = 6
    weight: Fraction = 0.3


class BootstrapParams(Section):
    """Percentile bootstrap over queries."""

    samples: PositiveInt = 2000
    confidence: Annotated[float, Strict(), Field(gt=0, lt=1)] = 0.95
    seed: NonNegativeInt = 0


class EvaluateParams(OnMachine):
    metric: Metric = "cosine"
    rerank: RerankParams | None = None
    bootstrap: BootstrapParams = BootstrapParams()
    top_k: PositiveInt = 50
    """Length of the ranked lists that are kept a query."""
    block_mb: PositiveInt = 256


class ReportParams(Section):
    images: bool = True
    """Show photographs; false leaves them out everywhere."""


class CheckParams(Section):
    """The regression gate, `reidpipe check`."""

    tolerance: dict[str, NonNegativeFloat] = {
        "rank1": 1.0,
        "rank5": 1.0,
        "rank10": 1.0,
        "mAP": 0.5,
        "mINP": 0.5,
    }
    """Percentage points that a metric may lose; the others are not judged."""
    false_alarms: Annotated[float, Strict(), Field(gt=0, lt=1)] = 0.02
    """Share of changes that change nothing but chance, and may be called a regression."""


class ProfileParams(Section):
    """Everything that one profile says."""

    data: dict[str, Source]
    weights: WeightsSource
    train: TrainParams
    extract: ExtractParams
    loading: LoadingParams = LoadingParams()
    evaluate: EvaluateParams
    report: ReportParams = ReportParams()


class Params(Section):
    """The whole of params.yaml."""

    profile: Profile
    attention: str
    classifier: Classifier
    triplet: StrictBool  # DVC puts it into a command as it stands: --triplet or --no-triplet
    seed: NonNegativeInt
    check: CheckParams = CheckParams()
    embedded: ProfileParams
    paper: ProfileParams

    @field_validator("attention")
    @classmethod
    def _known_attention(cls, value: str) -> str:
        return check_attention(value)

    @property
    def active(self) -> ProfileParams:
        """The section of the chosen profile."""
        return self.embedded if self.profile == "embedded" else self.paper


def attentions() -> list[str]:
    """Values of the `attention` parameter: the file names of `reidpipe/models/attention/`."""
    return sorted(path.stem for path in ATTENTION_DIR.glob("*.py") if path.stem != "__init__")


def check_attention(value: str) -> str:
    """Return `value` when a file of that name exists, else raise ValueError with the nearest."""
    if value not in attentions():
        hint = nearest(value, attentions())
        raise ValueError(f"one of {', '.join(attentions())}" + (f" ({hint})" if hint else ""))
    return value

"""Where data sets come from."""

from typing import Annotated, Literal

from pydantic import Field

from reidpipe.runtime.settings import (
    Cameras,
    Fraction,
    Layout,
    NonNegativeInt,
    People,
    PositiveInt,
    Section,
)


class Counts(Section):
    """Published sizes of a data set: identities and images per subset."""

    train_ids: PositiveInt
    train: PositiveInt
    test_ids: PositiveInt
    query: PositiveInt
    gallery: PositiveInt


class SyntheticSource(Section):
    """Procedural people in a benchmark's layout; test people have one query per camera visited."""

    source: Literal["synthetic"] = "synthetic"
    layout: Literal["market1501", "dukemtmc", "msmt17"]
    cameras: Cameras
    train_ids: People
    test_ids: People
    distractors: Annotated[int, Field(ge=0, le=100_000)] = 0
    """Market-1501: gallery images of no identity (0000) and, as many, of bad boxes (-1);
    DukeMTMC-reID: gallery images of people who are in no query; MSMT17 has none."""
    height: Annotated[int, Field(ge=32, le=512)] = 64
    """Pixels of Market-1501's images, which are half as wide; the others' are about as large."""
    occluded: Fraction = 0.1
    """Share of the images in which a post, a bin or a hedge stands before the person."""
    crowded: Fraction = 0.12
    """Share of the images in which somebody else is near."""
    cut_off: Fraction = 0.05
    """Share of the good boxes that are a fifth of a person too high or too low."""
    seed: NonNegativeInt = 0


class ArchiveSource(Section):
    """A user's archive (zip, tar, tar.gz) or folder in one of the layouts."""

    source: Literal["archive"]
    layout: Layout
    file: Annotated[str, Field(min_length=1)]
    md5: Annotated[str, Field(pattern="^[0-9a-fA-F]{32}$")] | None = None
    sha256: Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")] | None = None
    url: str | None = None
    use_val: bool = False
    counts: Counts | None = None


Source = Annotated[SyntheticSource | ArchiveSource, Field(discriminator="source")]

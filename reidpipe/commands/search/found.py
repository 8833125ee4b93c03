"""What a search has found."""

from dataclasses import dataclass, field

from reidpipe.errors import Problems
from reidpipe.runtime.settings import Metric


@dataclass(frozen=True)
class Match:
    name: str
    """As the gallery calls the file."""
    distance: float
    """The mean over the query's photographs."""
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class Found:
    queries: tuple[bytes, ...] = field(repr=False)
    """JPEGs or PNGs, cut to their boxes."""
    matches: tuple[Match, ...]
    """Nearest first; equal distances by name."""
    images: int
    """How many were searched."""
    others: int
    """How many files of the gallery are no images by their names."""
    skipped: Problems = field(compare=False)
    """Images that could not be read."""
    squeezed: int
    """How many of the images, the query among them, have quite another shape than its input."""
    metric: Metric
    """Of the distances."""
    approximate: bool = False
    """Whether nearer images may have been missed."""
    told: str = field(default="", compare=False)
    """What became of the index."""

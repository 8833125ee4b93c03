"""How near two ways to embed the same images are, in numbers and in what a search would find."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from reidpipe.formats.features import Features
from reidpipe.metrics.definition import rank_query
from reidpipe.runtime.settings import Metric, Precision

Coarseness = Precision | Literal["half"]
"""The coarser precision of the two: extraction's, or a half of whatever the runtime makes of it."""
EMBEDDING_TOLERANCE = {"fp32": 1e-4, "fp16": 1e-2, "half": 2e-2, "bf16": 1e-1}
"""Of the largest number of an embedding."""
RANKING_TOLERANCE = {"fp32": 1e-5, "fp16": 1e-3, "half": 1e-2, "bf16": 1e-2}
"""Of the largest distance (of two, the cosine's): images this near may change places."""
MAP_TOLERANCE = 0.5
"""Percentage points of mAP that a coarser precision may lose."""


@dataclass(frozen=True)
class Agreement:
    """How near two ways to embed the same images are."""

    queries: int
    gallery: int
    embedding: float
    """Largest difference, relative to the largest number."""
    ranking: float
    """Largest distance by which an image stands too far up; 0 where all lists are the same."""
    same: int
    """How many queries have the same list in every place."""
    mean_ap: tuple[float, float] | None = None
    """mAP in percent on these images by the one way and by the other."""

    def fine(self, precision: Coarseness = "fp32") -> bool:
        """Whether rounding explains it, and costs next to nothing."""
        near = self.embedding <= EMBEDDING_TOLERANCE[precision]
        ours, theirs = self.mean_ap or (0.0, 0.0)
        cheap = ours - theirs <= MAP_TOLERANCE
        return near and cheap and self.ranking <= RANKING_TOLERANCE[precision]

    def __str__(self) -> str:
        text = (
            f"embeddings differ by {self.embedding:.1e} of the largest number at most; "
            f"{self.same} of {self.queries} lists of {self.gallery} images are the same, "
            f"none is out of order by more than {self.ranking:.1e}"
        )
        if self.mean_ap:
            ours, theirs = self.mean_ap
            text += f"; mAP on them {ours:.2f} and {theirs:.2f}"
        return text


def agreement(ours: Features, theirs: Tensor, metric: Metric = "cosine") -> Agreement:
    """Compare `theirs` [N, D] with the features of the same images, queries first.

    Walking along the list of `theirs`, the distances of `ours` must never fall by more than the
    rounding: so equal and nearly equal images may change places, and nothing else.
    """
    queries, embedding = ours.queries, ours.embedding
    distance, other = distances(embedding, queries, metric), distances(theirs, queries, metric)
    order = other.sort(dim=1, stable=True).indices
    walked = distance.gather(1, order)
    fall = (walked.cummax(dim=1).values - walked).max()
    same = (order == distance.sort(dim=1, stable=True).indices).all(dim=1).sum()
    relative = (embedding - theirs).abs().max() / embedding.abs().max()
    scores = [mean_ap(found, ours) for found in (distance, other)]
    return Agreement(
        queries=queries,
        gallery=len(embedding) - queries,
        embedding=float(relative),
        ranking=float(fall),
        same=int(same),
        mean_ap=None if scores[0] is None or scores[1] is None else (scores[0], scores[1]),
    )


def distances(embedding: Tensor, queries: int, metric: Metric) -> Tensor:
    """Distances [Q, G] in float64; Euclidean ones up to 2, as the cosine's."""
    if metric == "euclidean":
        found = torch.cdist(embedding[:queries].double(), embedding[queries:].double())
        return 2 * found / found.max()
    unit = nn.functional.normalize(embedding.double())
    return 1 - unit[:queries] @ unit[queries:].T


def mean_ap(distance: Tensor, images: Features) -> float | None:
    """MAP in percent by the protocol; None where no query has a true match."""
    pid, camid, queries = images.pid.numpy(), images.camid.numpy(), images.queries
    found = [
        rank_query(row, pid[place], camid[place], pid[queries:], camid[queries:])
        for place, row in enumerate(distance.numpy())
    ]
    scores = [ranked.average_precision for ranked in found if ranked]
    return 100 * float(np.mean(scores)) if scores else None

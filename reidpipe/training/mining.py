"""Triplets of images that the network does not yet tell apart: batches of a phase with a pool."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reidpipe.errors import UserError
from reidpipe.formats.settings.training import Pool
from reidpipe.images.sampler import Indices
from reidpipe.images.transforms import normalise
from reidpipe.runtime import ranks
from reidpipe.runtime.machine import autocast
from reidpipe.runtime.streams import stream
from reidpipe.systems import System
from reidpipe.training.batches import TrainingSet

_TOGETHER = 64
"""Images that are embedded at a time."""


def mined(  # noqa: PLR0917
    model: System,
    data: TrainingSet,
    pool: Pool,
    epoch: int,
    device: torch.device,
    precision: str,
) -> list[Indices]:
    """Rows of the training set for each batch of an epoch: query, positive, negative in turns.

    The network sees the images in `precision`; distances are of float32.
    """
    random = stream(data.seed, "pool", epoch)
    count = min(pool.images, len(data.labels))
    drawn = np.sort(random.choice(len(data.labels), count, replace=False))
    with autocast(device, precision):
        found = embedded(model, data, drawn, device)
    return list(drawn[triplets(found, data.labels[drawn], pool, random)])


@torch.no_grad()
def embedded(model: System, data: TrainingSet, rows: Indices, device: torch.device) -> Tensor:
    """Descriptors [N, D] of images as they are, float32; all ranks get all of them."""
    found = torch.zeros(len(rows), model.width, device=device)
    with _testing(model):
        # Whole batches are shared out, as in extraction.
        for first in range(0, len(rows), _TOGETHER)[ranks.rank() :: ranks.world()]:
            part = slice(first, first + _TOGETHER)
            pixels = normalise(data.images.take(rows[part]).to(device, non_blocking=True))
            found[part] = model.embed(pixels.contiguous(memory_format=torch.channels_last)).float()
    return ranks.add_up(found)


def triplets(
    feature: Tensor, labels: NDArray[np.integer], pool: Pool, random: np.random.Generator
) -> NDArray[np.int64]:
    """Rows of `feature` [N, D] for each batch of a pool, [updates, 3 triplets].

    For a query q those pairs of a positive p and a negative n are the hardest of which
    |q - p|^2 - |q - n|^2 is the largest; chance takes one of them. Queries are all different where
    there are enough that have both.

    Raises:
        UserError: no image has another one of its identity, and one of another, in the pool.
    """
    wanted = pool.updates * pool.triplets
    names, counts = np.unique(labels, return_counts=True)
    usual = np.isin(labels, names[(counts > 1) & (counts < len(labels))])
    queries = np.resize(random.permutation(_some(np.flatnonzero(usual), pool)), wanted)
    found = np.empty((wanted, 3), np.int64)
    lengths = (feature**2).sum(1)
    for first in range(0, wanted, pool.triplets):  # never all queries' distances at once
        own = queries[first : first + pool.triplets]
        squared = (lengths[own, None] + lengths - 2 * feature[own] @ feature.T).cpu().numpy()
        for place, query in enumerate(own):
            pair = _pair(squared[place], labels, query, pool.hardest, random)
            found[first + place] = query, *pair
    return found.reshape(pool.updates, -1)


def _pair(
    squared: NDArray[np.floating],
    labels: NDArray[np.integer],
    query: np.int64,
    hardest: int,
    random: np.random.Generator,
) -> tuple[np.int64, np.int64]:
    """A positive and a negative of one query, from its squared distances [N]."""
    same = labels == labels[query]
    same[query] = False
    far = np.flatnonzero(same)
    near = np.flatnonzero(labels != labels[query])
    # No pair outside of the first `hardest` of either is among the hardest pairs.
    far = far[np.argsort(-squared[far], kind="stable")[:hardest]]
    near = near[np.argsort(squared[near], kind="stable")[:hardest]]
    gaps = squared[far][:, None] - squared[near]
    chosen = random.choice(np.argsort(-gaps, axis=None, kind="stable")[:hardest])
    positive, negative = divmod(int(chosen), len(near))
    return far[positive], near[negative]


def _some(queries: Indices, pool: Pool) -> Indices:
    if len(queries) == 0:
        raise UserError(
            "a pool has no triplet",
            where="params.yaml: systems, pool",
            expected="images of 2 identities, of one of them 2",
            found=f"{pool.images} images drawn",
            fix="a larger pool",
        )
    return queries


@contextmanager
def _testing(model: nn.Module) -> Iterator[None]:
    """Put all parts into evaluation mode, and back."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training

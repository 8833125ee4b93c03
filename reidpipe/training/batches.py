"""Batches of augmented images, made ahead by workers where there are any."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from reidpipe.formats.settings.training import Identities, Phase, Recipe
from reidpipe.images.images import Images
from reidpipe.images.loading import ahead
from reidpipe.images.sampler import Indices, batches, shuffled
from reidpipe.images.transforms import augment, erase, normalise
from reidpipe.runtime import ranks


class Batch(NamedTuple):
    """What one step sees, or this rank's share of them."""

    images: Tensor
    """uint8 [B, 3, H, W], flipped and cropped."""
    boxes: Tensor
    """int64 [B, 4]: what is to be erased (top, left, height, width), in pixels."""
    labels: Tensor
    """int64 [B]."""
    indices: Indices
    """int64 [B]: the images' numbers in the data set."""

    def on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """The network's input float32 [B, 3, H, W], normalised and erased, and the labels."""
        images, boxes, labels = (part.to(device, non_blocking=True) for part in self[:3])
        pixels = erase(normalise(images), boxes)
        return pixels.contiguous(memory_format=torch.channels_last), labels


class TrainingSet(Dataset[Batch]):
    """Images [N] with labels [N] in 0..C-1, served as the batches of a run, numbered from 0.

    Which images a batch has and what becomes of them depends on the seed and its number alone.
    """

    def __init__(
        self, images: Images, labels: np.ndarray, recipe: Recipe, seed: int, workers: int = 0
    ) -> None:
        self.images, self.labels, self.recipe, self.seed = images, labels, recipe, seed
        self.workers = workers
        self._epoch, self._rows = 0, self._batches(0)
        self.steps = len(self._rows)
        """Batches of an epoch of the recipe's: the same number in every one."""
        # Asked here: a worker process knows of no ranks, and a later phase would end the training.
        self._share, *_ = [ranks.share(recipe.size(phase)) for phase in recipe.phases]

    @property
    def num_classes(self) -> int:
        return int(self.labels.max()) + 1

    def __getitem__(self, number: int) -> Batch:
        epoch, step = divmod(number, self.steps)
        if epoch != self._epoch:
            self._epoch, self._rows = epoch, self._batches(epoch)
        return self.batch(self._rows[step], self._share, epoch, step)

    def batch(self, rows: Indices, share: slice, epoch: int, step: int) -> Batch:
        """The `share` of the images `rows`, as they come in a step of an epoch."""
        size, indices = len(rows), rows[share]
        places = range(step * size, (step + 1) * size)[share]
        images, boxes = augment(
            self.images.take(indices), places, self.seed, epoch, **self.recipe.augment
        )
        return Batch(images, boxes, torch.from_numpy(self.labels[indices]), indices)

    def steps_of(self, phase: Phase) -> int:
        """Batches of an epoch of the phase."""
        return phase.pool.updates if phase.pool else self.steps

    def batches(
        self, epoch: int, step: int, end: int, device: torch.device
    ) -> AbstractContextManager[Iterator[Batch]]:
        """All batches from `step` of `epoch` to the epoch `end`, for a network on `device`."""
        order = range(epoch * self.steps + step, end * self.steps)
        return ahead(self, order, workers=self.workers, device=device)

    def chosen(
        self, rows: Sequence[Indices], epoch: int, device: torch.device
    ) -> AbstractContextManager[Iterator[Batch]]:
        """Batches of one epoch whose images are `rows`, all of one length."""
        served = _Chosen(self, rows, epoch)
        return ahead(served, range(len(rows)), workers=self.workers, device=device)

    def _batches(self, epoch: int) -> list[Indices]:
        kind, key = self.recipe.batches, {"seed": self.seed, "epoch": epoch}
        if isinstance(kind, Identities):
            return batches(self.labels, identities=kind.identities, images=kind.images, **key)
        return shuffled(len(self.labels), kind.size, **key)


class _Chosen(Dataset[Batch]):
    """The batches of one epoch."""

    def __init__(self, data: TrainingSet, rows: Sequence[Indices], epoch: int) -> None:
        self.data, self.rows, self.epoch = data, rows, epoch
        self._share = ranks.share(len(rows[0]))

    def __getitem__(self, step: int) -> Batch:
        return self.data.batch(self.rows[step], self._share, self.epoch, step)

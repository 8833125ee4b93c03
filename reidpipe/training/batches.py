"""P x K batches of augmented images, made ahead by workers where there are any."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from reidpipe.data.images import Images
from reidpipe.data.sampler import batches
from reidpipe.data.transforms import augment
from reidpipe.params import TrainParams
from reidpipe.runtime import ranks


class Batch(NamedTuple):
    """What one step sees of P x K images, or this rank's share of them."""

    images: Tensor
    """float32 [B, 3, H, W], augmented and normalised."""
    labels: Tensor
    """int64 [B]."""
    indices: np.ndarray
    """int64 [B]: the images' numbers in the data set."""


class _Epoch(Dataset[Batch]):
    """The batches of one epoch; which images and what becomes of them depends on the seed alone."""

    def __init__(
        self, images: Images, labels: np.ndarray, params: TrainParams, seed: int, epoch: int
    ) -> None:
        self.images, self.labels, self.params = images, labels, params
        self.seed, self.epoch = seed, epoch
        shape = {"identities": params.identities, "images": params.images}
        self.batches = batches(labels, **shape, seed=seed, epoch=epoch)
        # Asked here: a worker process knows of no ranks.
        self.share = ranks.share(params.identities * params.images)

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, step: int) -> Batch:
        indices = self.batches[step][self.share]
        pixels = augment(
            self.images.take(indices),
            indices,
            params=self.params.augment,
            seed=self.seed,
            epoch=self.epoch,
        )
        return Batch(pixels, torch.from_numpy(self.labels[indices]), indices)


class TrainingSet:
    """Images [N] with labels [N] in 0..C-1, served as epochs of batches."""

    def __init__(self, images: Images, labels: np.ndarray, params: TrainParams, seed: int) -> None:
        self.images, self.labels, self.params, self.seed = images, labels, params, seed

    @property
    def num_classes(self) -> int:
        return int(self.labels.max()) + 1

    def steps(self, epoch: int) -> int:
        """Number of batches in `epoch`: the same in every one."""
        return len(self._epoch(epoch))

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The batches of `epoch` from step `first` on."""
        dataset = self._epoch(epoch)
        loader = DataLoader(
            dataset,
            batch_size=None,  # the data set serves whole batches
            sampler=range(first, len(dataset)),
            num_workers=self.params.workers,
            generator=torch.Generator(),  # the loader draws a seed; not from the global stream
        )
        return iter(loader)

    def _epoch(self, epoch: int) -> _Epoch:
        return _Epoch(self.images, self.labels, self.params, self.seed, epoch)

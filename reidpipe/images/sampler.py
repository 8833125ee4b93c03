"""Which images stand in a batch: P identities with K images each, or any."""

import numpy as np
from numpy.typing import NDArray

from reidpipe.errors import UserError
from reidpipe.runtime.streams import stream

Indices = NDArray[np.int64]


def batches(
    labels: NDArray[np.integer], *, identities: int, images: int, seed: int, epoch: int
) -> list[Indices]:
    """Rows of `labels` [N] for each batch of one epoch, each of length P x K (1703.07737, 2).

    A batch has P different identities in runs of K rows. Over the epoch every identity comes at
    least once and none comes twice more often than another does. The K rows are different where
    the identity has that many; otherwise all of its rows, repeated. There are about N / (P K)
    batches, so that an epoch is as long as one over the images.

    Raises:
        UserError: there are fewer than P identities.
    """
    pids, owner = np.unique(labels, return_inverse=True)
    if len(pids) < identities:
        raise UserError(
            "too few identities for a batch",
            where="params.yaml: train.identities",
            expected=f"at most {len(pids)}, the identities of the training set",
            found=identities,
        )
    random = stream(seed, "sampler", epoch)
    rows = [np.flatnonzero(owner == index) for index in range(len(pids))]
    count = max(round(len(labels) / (identities * images)), -(-len(pids) // identities))
    return [
        np.concatenate([np.resize(random.permutation(rows[pid]), images) for pid in batch])
        for batch in _identity_batches(len(pids), identities, count, random)
    ]


def shuffled(count: int, size: int, *, seed: int, epoch: int) -> list[Indices]:
    """Numbers below `count` for each batch of one epoch; those that fill no batch are left out.

    Raises:
        UserError: there are fewer than `size`.
    """
    if count < size:
        raise UserError(
            "too few images for a batch",
            where="params.yaml: systems, batch_size",
            expected=f"at most {count}, the images of the training set",
            found=size,
        )
    order = stream(seed, "sampler", epoch).permutation(count)
    return list(order[: count - count % size].reshape(-1, size))


def _identity_batches(
    total: int, size: int, count: int, random: np.random.Generator
) -> list[Indices]:
    """`count` batches of `size` different numbers below `total`, from one shuffle after another."""
    waiting = np.empty(0, dtype=np.int64)
    chosen = []
    for _ in range(count):
        if len(waiting) < size:
            fresh = random.permutation(total)
            # Those that still wait go to the end of the new round: no batch has one twice.
            again = np.isin(fresh, waiting)
            waiting = np.concatenate([waiting, fresh[~again], fresh[again]])
        chosen.append(waiting[:size])
        waiting = waiting[size:]
    return chosen

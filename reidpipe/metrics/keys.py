"""One int64 that orders a gallery by distance, then by index: no two keys of a row are equal.

A key holds 6 bits of row, the 31 bits of a float32 that is not negative, 26 bits of gallery index.
The row comes first, so that one sort or one search serves ROWS rows; so few also fit the cache.
"""

import numpy as np
import torch
from torch import Tensor

ROWS = 16
_INDEX_BITS, _ROW_SHIFT = 26, 57


def pack(distance: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Keys of the images `column`, at `distance` from the queries `row` (all P; row < ROWS)."""
    # The bits of floats that are not negative order like the floats.
    keys = distance.view(torch.int32).to(torch.int64)
    # In place: at MSMT17 size there are a hundred million keys.
    return keys.bitwise_left_shift_(_INDEX_BITS).bitwise_or_(column).bitwise_or_(row << _ROW_SHIFT)


def within(distance: Tensor, limit: Tensor) -> Tensor:
    """Keys, ascending, of the images of each row (R x G) that are as near as its limit (R x 1)."""
    place = _true(distance, limit)
    row = place // distance.shape[1]
    column = place - row * distance.shape[1]
    return _sorted(pack(distance.reshape(-1).index_select(0, place), row, column))


def starts(keys: Tensor, rows: int) -> Tensor:
    """Where each row begins in ascending `keys`, and the end: rows + 1 numbers."""
    row = torch.arange(rows + 1, device=keys.device)
    return torch.searchsorted(keys, row << _ROW_SHIFT)


def distance_of(keys: Tensor) -> Tensor:
    """The float32 distances in `keys`."""
    bits = keys >> _INDEX_BITS & (1 << (_ROW_SHIFT - _INDEX_BITS)) - 1
    return bits.to(torch.int32).view(torch.float32)


def index_of(keys: Tensor) -> Tensor:
    """The gallery indices in `keys`."""
    return keys & (1 << _INDEX_BITS) - 1


def first(keys: Tensor, start: Tensor, k: int) -> Tensor:
    """The first k of each row of ascending `keys` (rows x k); -1 where a row has fewer."""
    index = start[:-1, None] + torch.arange(k, device=keys.device)
    return torch.where(index < start[1:, None], keys[index.clamp(max=len(keys) - 1)], -1)


def nearest(distance: Tensor, k: int) -> Tensor:
    """Indices of the k nearest of each row (at most ROWS rows), equal distances by index."""
    keys = within(distance, distance.topk(k, dim=1, largest=False).values[:, -1:])
    return index_of(first(keys, starts(keys, len(distance)), k))


# NumPy's sort and search for what is true use wide registers, torch's on the CPU do not: they are
# about twice and three times as fast.


def _true(distance: Tensor, limit: Tensor) -> Tensor:
    """Places in the flattened matrix where distance <= limit."""
    if distance.is_cpu:
        return torch.from_numpy(np.flatnonzero(distance.numpy() <= limit.numpy()))
    return (distance <= limit).reshape(-1).nonzero()[:, 0]


def _sorted(keys: Tensor) -> Tensor:
    if keys.is_cpu:
        keys.numpy().sort()
        return keys
    return keys.sort().values

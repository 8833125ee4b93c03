"""One int64 that orders a gallery by distance, then by index: no two keys of a row are equal.

A key holds 6 bits of row, the 31 bits of a float32 that is not negative, 26 bits of gallery index.
The row comes first, so that one sort or one search serves ROWS rows; so few also fit the cache.
"""

import torch
from torch import Tensor

ROWS = 16
_INDEX_BITS, _ROW_SHIFT = 26, 57


def pack(distance: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Keys of `distance[row, column]`, for a matrix of at most ROWS rows."""
    # The bits of floats that are not negative order like the floats.
    keys = distance[row, column].view(torch.int32).to(torch.int64)
    # In place: at MSMT17 size there are a hundred million keys.
    return keys.bitwise_left_shift_(_INDEX_BITS).bitwise_or_(column).bitwise_or_(row << _ROW_SHIFT)


def farthest(reach: Tensor) -> Tensor:
    """For each row the largest key of an image at the distance `reach`."""
    row = torch.arange(len(reach), device=reach.device)
    bits = reach.view(torch.int32).to(torch.int64)
    return row << _ROW_SHIFT | bits << _INDEX_BITS | (1 << _INDEX_BITS) - 1


def distance_of(keys: Tensor) -> Tensor:
    """The float32 distances in `keys`."""
    bits = keys >> _INDEX_BITS & (1 << (_ROW_SHIFT - _INDEX_BITS)) - 1
    return bits.to(torch.int32).view(torch.float32)


def index_of(keys: Tensor) -> Tensor:
    """The gallery indices in `keys`."""
    return keys & (1 << _INDEX_BITS) - 1


def smallest(keys: Tensor, rows: int, k: int) -> Tensor:
    """The k smallest keys of each row (rows x k), ascending; -1 where a row has fewer."""
    keys = keys.sort().values
    count = torch.bincount(keys >> _ROW_SHIFT, minlength=rows)
    place = torch.arange(k, device=keys.device)
    index = starts(count)[:, None] + place
    return torch.where(place < count[:, None], keys[index.clamp(max=len(keys) - 1)], -1)


def nearest(distance: Tensor, k: int) -> Tensor:
    """Indices of the k nearest of each row (at most ROWS rows), equal distances by index."""
    reach = distance.topk(k, dim=1, largest=False).values[:, -1:]
    row, column = (distance <= reach).nonzero(as_tuple=True)
    return index_of(smallest(pack(distance, row, column), len(distance), k))


def starts(count: Tensor) -> Tensor:
    """Where each of consecutive runs of `count` entries begins."""
    return count.cumsum(0) - count

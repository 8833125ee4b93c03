"""Global average pooling."""

from torch import Tensor

from reidpipe.runtime.machine import single


def average(feature_map: Tensor) -> Tensor:
    """[B, C, H, W] -> [B, C], float32 or more also under autocast."""
    return feature_map.mean((2, 3), dtype=single(feature_map.dtype))

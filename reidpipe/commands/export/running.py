"""How an exported model is run over many images."""

from collections.abc import Callable

import torch
from torch import Tensor

DYNAMIC = 64
"""Images of a call where any number is allowed."""


def example(images: Tensor, batch: int) -> Tensor:
    """Some of the images [N, ...] to trace a graph with: two, or as many as a fixed batch has."""
    return images[torch.arange(batch or 2) % len(images)]


def in_batches(call: Callable[[Tensor], Tensor], images: Tensor, batch: int) -> Tensor:
    """What `call` gives for all images, asked in batches; a fixed one is filled up with zeros."""
    size = batch or DYNAMIC
    found = []
    for first in range(0, len(images), size):
        part = images[first : first + size]
        rest = size - len(part) if batch else 0
        filled = torch.cat([part, part.new_zeros(rest, *part.shape[1:])]) if rest else part
        found.append(call(filled)[: len(part)])
    return torch.cat(found)

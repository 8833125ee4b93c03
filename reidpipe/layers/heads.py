"""Classifiers over an embedding: their scores are what the largest of is the answer of."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from reidpipe.layers.initial import fan_in_uniform


class Linear(nn.Module):
    """Weights without bias: embedding [B, D] -> scores [B, C]."""

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_classes, channels))

    def start(self, generator: torch.Generator) -> None:
        """Nearly equal scores."""
        nn.init.normal_(self.weight, std=0.001, generator=generator)

    def forward(self, embedding: Tensor) -> Tensor:
        return F.linear(embedding, self.weight)


class Cosine(nn.Module):
    """Normalised weights and embedding: embedding [B, D] -> cosines [B, C], float32 or more."""

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_classes, channels))

    def start(self, generator: torch.Generator) -> None:
        """Rows of one length for any D, as FastReID's: the length sets how fast Adam turns them."""
        fan_in_uniform(self.weight, generator)

    def forward(self, embedding: Tensor) -> Tensor:
        # Scale 64 turns an error of bfloat16 in the cosine into a quarter of a logit.
        with torch.autocast(embedding.device.type, enabled=False):
            return F.linear(F.normalize(embedding), F.normalize(self.weight))

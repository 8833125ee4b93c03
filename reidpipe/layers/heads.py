"""Classifiers over an embedding: their scores are what the largest of is the answer of."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from reidpipe.layers.initial import fan_in_uniform
from reidpipe.runtime.machine import in_full


class Linear(nn.Module):
    """Embedding [B, D] -> scores [B, C]; its weights start normal with deviation `std`."""

    def __init__(
        self, channels: int, num_classes: int, *, bias: bool = False, std: float = 0.001
    ) -> None:
        super().__init__()
        self.std = std
        self.weight = nn.Parameter(torch.empty(num_classes, channels))
        self.bias = nn.Parameter(torch.empty(num_classes)) if bias else None

    def start(self, generator: torch.Generator) -> None:
        """Nearly equal scores."""
        nn.init.normal_(self.weight, std=self.std, generator=generator)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, embedding: Tensor) -> Tensor:
        return F.linear(embedding, self.weight, self.bias)


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
        with in_full(embedding.device):
            return F.linear(F.normalize(embedding), F.normalize(self.weight))

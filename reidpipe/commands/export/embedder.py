"""What is exported: images to embeddings, in one module without options."""

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from reidpipe.images.transforms import normalise
from reidpipe.systems import System

Input = Literal["uint8", "pixels", "float"]
INPUTS: tuple[Input, ...] = get_args(Input)


class Embedder(nn.Module):
    """Images [B, 3, H, W], RGB, to embeddings float32 [B, D].

    They are bytes, or floats of 0 to 255 (`pixels`), which are normalised inside; or floats that
    have ImageNet's mean 0 and deviation 1 already.
    """

    def __init__(self, model: System, kind: Input, *, flip: bool, unit: bool) -> None:
        super().__init__()
        self.model, self.kind, self.flip, self.unit = model, kind, flip, unit

    def forward(self, images: Tensor) -> Tensor:
        pixels = images if self.kind == "float" else normalise(images)
        embedding = self.model.embed(pixels)
        if self.flip:
            embedding = (embedding + self.model.embed(pixels.flip(3))) / 2
        return nn.functional.normalize(embedding) if self.unit else embedding


def given(images: Tensor, kind: Input) -> Tensor:
    """What a user has to hand over for images uint8 [N, 3, H, W]."""
    if kind == "float":
        return normalise(images)
    return images.to(torch.float32) if kind == "pixels" else images

"""What a variant costs to embed one image: parameters, and floating-point operations.

Torch's counter counts convolutions and matrix products, a multiply-add as two operations; batch
norms, poolings, gates and softmaxes are not counted. The classifier is left out: it is not used
after training.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from reidpipe.models.reid import ReID
from reidpipe.params import CircleParams, TrainParams


class Cost(NamedTuple):
    """Of one image, without the classifier."""

    parameters: int
    flops: int


def cost(
    backbone: str, attention: str, options: Mapping[str, Any], image_size: tuple[int, int]
) -> Cost:
    """Embed one image (height, width) and count."""
    model = ReID(
        backbone=backbone,
        attention=attention,
        attention_options=options,
        classifier="linear",
        circle=CircleParams(),
        num_classes=1,
    ).eval()
    classifier = sum(weights.numel() for weights in model.head.parameters())
    parameters = sum(weights.numel() for weights in model.parameters()) - classifier
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.embed(torch.zeros(1, 3, *image_size))
    return Cost(parameters, counter.get_total_flops())


def costs(attentions: Mapping[str, str], train: TrainParams) -> dict[str, Cost]:
    """Cost of each variant (its name -> its attention) with the backbone and size of a profile."""
    return {
        variant: cost(train.backbone, name, train.attention.options(name), train.image_size)
        for variant, name in attentions.items()
    }

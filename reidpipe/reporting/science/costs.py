"""What each variant of Table 1 costs, with the paper's backbone and with the profile's.

Torch's counter counts convolutions and matrix products, a multiply-add as two operations; batch
norms, poolings, gates and softmaxes are not counted. The classifier is left out: it is not used
after training.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from reidpipe.reporting.reading.experiment import Run
from reidpipe.reporting.science.tables import Table
from reidpipe.systems.ours import Network

Size = tuple[int, int]
PAPER_BACKBONE, PAPER_SIZE = "resnet50", (256, 128)


class Cost(NamedTuple):
    """Of embedding one image, without the classifier."""

    parameters: int
    flops: int


@dataclass(frozen=True)
class Costs:
    """Cost by run."""

    paper: dict[str, Cost]
    profile: dict[str, Cost]
    names: str
    """Backbone and image size of the profile."""


def cost(network: Mapping[str, Any], image_size: Size) -> Cost:
    """Embed one image (height, width) and count."""
    model = Network(1, **network).eval()
    classifier = sum(w.numel() for part in model.classifiers() for w in part.parameters())
    parameters = sum(weights.numel() for weights in model.parameters()) - classifier
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.embed(torch.zeros(1, 3, *image_size))
    return Cost(parameters, counter.get_total_flops())


def variant_costs(runs: Mapping[str, Run], table: Table, backbone: str, image_size: Size) -> Costs:
    """Cost of each rebuilt run of `table`; runs of one attention share one count."""
    own = {run: runs[run].network for run in table.rebuilt}
    height, width = image_size
    return Costs(
        paper=_counted(own, PAPER_BACKBONE, PAPER_SIZE),
        profile=_counted(own, backbone, image_size),
        names=f"{backbone} {height}x{width}",
    )


def _counted(
    networks: Mapping[str, Mapping[str, Any]], backbone: str, image_size: Size
) -> dict[str, Cost]:
    by_attention = {str(network["attention"]): network for network in networks.values()}
    counted = {
        name: cost({**network, "backbone": backbone}, image_size)
        for name, network in by_attention.items()
    }
    return {run: counted[network["attention"]] for run, network in networks.items()}

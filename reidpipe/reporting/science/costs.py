"""What each system and variant costs, at the paper's size and at the profile's.

Torch's counter counts convolutions and matrix products; batch norms, poolings, gates and softmaxes
are not counted. The classifiers are counted apart: they are not used after training.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from reidpipe import systems
from reidpipe.reporting.reading.experiment import Run
from reidpipe.runtime.settings import OURS

Size = tuple[int, int]
PAPER_BACKBONE = "resnet50"
"""Of Ours; the other systems have their papers' sizes as defaults."""
IDENTITIES = {"market1501": 751, "dukemtmc": 702, "msmt17": 1041}
"""Published numbers of people to train on."""


class Cost(NamedTuple):
    """Of embedding one image, and of the classifiers that are left out of it."""

    parameters: int
    classifier_parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class Costs:
    """Cost by run."""

    paper: dict[str, Cost]
    profile: dict[str, Cost]


def cost(system: str, options: Mapping[str, Any], image_size: Size, num_classes: int) -> Cost:
    """Count what embedding one image (height, width) takes; nothing is computed."""
    with torch.device("meta"):
        model = systems.network(system)(num_classes, **options).eval()
        image = torch.zeros(1, 3, *image_size)
    classifiers = sum(w.numel() for part in model.classifiers() for w in part.parameters())
    parameters = sum(weights.numel() for weights in model.parameters()) - classifiers
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.embed(image)
    return Cost(parameters, classifiers, counter.get_total_flops() // 2)


def costs(runs: Mapping[str, Run]) -> Costs:
    """Cost of each run, with the published number of identities at either size."""
    counted: dict[str, Cost] = {}

    def once(system: str, options: Mapping[str, Any], size: Size, num_classes: int) -> Cost:
        key = repr((system, options, size, num_classes))
        if key not in counted:
            counted[key] = cost(system, options, size, num_classes)
        return counted[key]

    paper, profile = {}, {}
    for name, run in runs.items():
        classes = IDENTITIES.get(run.dataset, 1)
        ours = run.system == OURS
        full = {**run.network, "backbone": PAPER_BACKBONE} if ours else run.options
        paper[name] = once(run.system, full, systems.recipe(run.system, {}).image_size, classes)
        profile[name] = once(run.system, run.network, run.image_size, classes)
    return Costs(paper, profile)

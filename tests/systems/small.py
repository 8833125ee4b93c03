"""Every system at a size that a test trains in a second, by name."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from reidpipe import systems
from reidpipe.formats.settings.training import Recipe
from reidpipe.layers.initial import initialise
from reidpipe.systems import System

CLASSES = 4


class Small(NamedTuple):
    network: Mapping[str, Any]
    recipe: Mapping[str, Any]


OURS = {"attention": "cbam", "classifier": "circle", "triplet": True, "backbone": "resnet10_x0_5"}
PCB = {"backbone": "resnet10_x0_5", "reduced": 16}
SVDNET = {"backbone": "resnet10_x0_5", "eigen": 32}
OSNET = {"multiplier": 0.25}
R10 = {"backbone": "resnet10_x0_5"}
PK = {"image_size": (64, 32), "identities": 4, "images": 2, "epochs": 2}
SIZES = {
    "ours": Small(OURS, {"image_size": (32, 16), "identities": 4, "images": 2, "epochs": 2}),
    "pcb": Small(PCB, {"image_size": (96, 32), "batch_size": 8, "epochs": 2, "milestones": (1,)}),
    "svdnet": Small(
        SVDNET,
        {
            "image_size": (64, 64),
            "batch_size": 8,
            "epochs": 2,
            "milestones": (1,),
            "rri": 2,
            "rri_early": 1,
            "rri_epochs": 1,
            "rri_milestones": (),
        },
    ),
    "dare": Small({**R10, "hidden": 32, "embedding": 16}, {**PK, "epochs": 1, "falling_epochs": 2}),
    "dpfl": Small(R10, {"image_size": (64, 32), "batch_size": 8, "epochs": 2}),
    "alignedreid": Small({**R10, "local": 16, "last_stride": 1}, {**PK, "falling_from": 1}),
    "hacnn": Small(
        {"multiplier": 0.25, "local": (8, 16)},
        {"image_size": (64, 32), "batch_size": 8, "epochs": 2, "milestones": (1,)},
    ),
    "ianet": Small(R10, PK),
    "ide": Small(
        {**R10, "hidden": 24},
        {"image_size": (64, 32), "batch_size": 8, "head_epochs": 1, "epochs": 2},
    ),
    "aacn": Small(
        {**R10, "pose_width": 8, "composed": 16},
        {"image_size": (32, 16), "batch_size": 8, "epochs": 2, "milestones": (1,)},
    ),
    "autoreid": Small({"channels": 4, "depths": (1, 1, 1, 1)}, PK),
    "gpreid": Small(
        {**R10, "embedding": 16},
        {
            "image_size": (64, 32),
            "batch_size": 8,
            "epochs": 2,
            "milestones": (1,),
            "pool": 20,
            "triplets": 2,
            "updates": 3,
            "hardest": 4,
            "pools": 2,
            "halving": 1,
        },
    ),
    "mgn": Small({**R10, "reduced": 16}, {**PK, "image_size": (96, 32)}),
    "rpp": Small(PCB, {"image_size": (96, 32), "batch_size": 8, "induced_epochs": 1, "epochs": 2}),
    "osnet": Small(OSNET, {"image_size": (64, 32), "batch_size": 8, "head_epochs": 1, "epochs": 2}),
}


def network(system: str, **changes: Any) -> System:
    model = systems.network(system)(CLASSES, **{**SIZES[system].network, **changes})
    initialise(model, torch.Generator().manual_seed(0))
    return model


def recipe(system: str, **changes: Any) -> Recipe:
    return systems.recipe(system, {**SIZES[system].recipe, **changes})


def images(system: str, count: int = 8, seed: int = 1) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, *recipe(system).image_size, generator=random)


def labels(count: int = 8) -> Tensor:
    return torch.arange(count) % CLASSES

"""A phase of a recipe made ready: which parts of the network learn, and with what optimiser."""

from collections.abc import Collection
from fnmatch import fnmatchcase

import torch
from torch import nn
from torch.optim import SGD, Adam, Optimizer

from reidpipe.formats.settings.training import Group, Phase

BETA2 = 0.999


def ready(model: nn.Module, phase: Phase, learnable: Collection[str]) -> Optimizer:
    """Put `model` into training mode, but for what is frozen, and give what learns an optimiser.

    Args:
        model: a network on its device.
        phase: of a recipe.
        learnable: names of the parameters that learn where nothing is frozen.

    Raises:
        ValueError: the phase names a part that the network does not have, or a group of nothing.
    """
    model.train()
    still: set[nn.Parameter] = set()
    for pattern in phase.frozen:
        parts = [part for name, part in model.named_modules() if fnmatchcase(name, pattern)]
        if not parts:
            raise ValueError(f"{phase.name}: no part of the network is {pattern}")
        for part in parts:
            part.eval()
            still.update(part.parameters())
    learning = {}
    for name, parameter in model.named_parameters():
        learns = name in learnable and parameter not in still
        parameter.requires_grad_(learns)
        if learns:
            learning[name] = parameter
    return _optimiser(learning, phase)


def set_rate(optimiser: Optimizer, rate: float) -> None:
    """Of the phase; each group has its part of it."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["factor"]


def _optimiser(learning: dict[str, nn.Parameter], phase: Phase) -> Optimizer:
    """`factor` of each group is its part of the learning rate."""
    rest = Group(prefix="")
    by_group: dict[Group, list[nn.Parameter]] = {}
    for name, parameter in learning.items():
        own = next((group for group in phase.groups if name.startswith(group.prefix)), rest)
        by_group.setdefault(own, []).append(parameter)
    if unused := [group.prefix for group in phase.groups if group not in by_group]:
        raise ValueError(f"{phase.name}: nothing that learns begins with {', '.join(unused)}")
    groups = [
        {
            "params": parameters,
            "weight_decay": phase.weight_decay * own.weight_decay,
            "factor": own.lr,
        }
        for own, parameters in by_group.items()
    ]
    if phase.optimiser in {"adam", "amsgrad"}:
        betas = (phase.momentum, BETA2)
        amsgrad = phase.optimiser == "amsgrad"
        return Adam(groups, lr=phase.lr, betas=betas, amsgrad=amsgrad, fused=True)
    nesterov = phase.optimiser == "nesterov"
    found = SGD(groups, lr=phase.lr, momentum=phase.momentum, nesterov=nesterov, fused=True)
    # torch would make it in the first step, of what lies in memory where fp16 overflows in it.
    for parameter in learning.values():
        found.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return found

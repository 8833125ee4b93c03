"""How far a training run has come, and its way into a state file and back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

from reidpipe.training.resume import State

_MODEL, _OPTIMISER = "model.", "optimiser."


@dataclass
class Position:
    """The next step to take, the sums of the epoch so far, and the rows of the epochs before."""

    epoch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)

    def add(self, values: dict[str, float]) -> None:
        """Count what one step gave."""
        self.step += 1
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def end_epoch(self, rate: float, watched: Mapping[str, float]) -> None:
        """Close the epoch with one row of history: the means over its steps, and `watched`."""
        means = {name: total / self.step for name, total in self.sums.items()}
        self.history.append({"epoch": self.epoch + 1, "lr": rate, **means, **watched})
        self.epoch, self.step, self.sums = self.epoch + 1, 0, {}


def keep(
    state: State, position: Position, model: nn.Module, optimiser: Optimizer, scaler: GradScaler
) -> None:
    """Write everything that the next step depends on."""
    tensors = {_MODEL + name: value for name, value in model.state_dict().items()}
    tensors |= {_OPTIMISER + name: value for name, value in moments(optimiser).items()}
    state.save(tensors, {"position": asdict(position), "scaler": scaler.state_dict()})


def restore(
    state: State, model: nn.Module, scaler: GradScaler
) -> tuple[Position, dict[str, Tensor]]:
    """Put a saved state back, or start at the beginning; with what `put_back` takes."""
    saved = state.load()
    if saved is None:
        return Position(), {}
    tensors, about = saved
    model.load_state_dict(_of(_MODEL, tensors))
    if about["scaler"]:
        scaler.load_state_dict(about["scaler"])
    return Position(**about["position"]), _of(_OPTIMISER, tensors)


def moments(optimiser: Optimizer) -> dict[str, Tensor]:
    """What it remembers of each parameter, by number and name."""
    return {
        f"{number}.{name}": value
        for number, values in optimiser.state_dict()["state"].items()
        for name, value in values.items()
    }


def put_back(saved: Mapping[str, Tensor], optimiser: Optimizer) -> None:
    """Give the optimiser what it had when the state was saved."""
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    found: dict[int, dict[str, Any]] = {}
    for name, tensor in saved.items():
        number, kind = name.split(".", 1)
        like = parameters[int(number)]
        # The fused optimiser walks through memory: they must be laid out like the weights.
        if tensor.shape == like.shape:
            tensor = torch.empty_like(like).copy_(tensor)  # noqa: PLW2901
        found.setdefault(int(number), {})[kind] = tensor
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": found, "param_groups": groups})


def _of(part: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(part): tensor for name, tensor in tensors.items() if name.startswith(part)
    }

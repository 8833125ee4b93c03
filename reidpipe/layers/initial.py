"""Initial weights, each drawn from an explicit generator; no global random state.

| part | rule |
|---|---|
| 2-d convolutions | Kaiming normal for ReLU, fan-out (1502.01852), as torchvision; bias 0 |
| linear maps, 1-d convolutions | uniform within +-1 / sqrt(fan-in), torch's own; bias 0 |
| batch norms | gamma 1, beta 0, running mean 0 and variance 1 |
| modules with a method `start(generator)` | that method, after the rules above |

The second rule is for the gates: it starts them near one half, where they pass and learn. Those
that `start` otherwise: the classifiers (`heads`), and what an attention paper starts otherwise.
"""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from reidpipe.runtime.streams import stream

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
GATES = (nn.Conv1d, nn.Linear)


@runtime_checkable
class Starts(Protocol):
    """A module that sets its initial weights itself."""

    def start(self, generator: torch.Generator) -> None: ...


def torch_stream(*key: int | str) -> torch.Generator:
    """What `stream` is for numpy, for torch."""
    return torch.Generator().manual_seed(int(stream(*key).integers(2**63)))


def initialise(model: nn.Module, generator: torch.Generator) -> None:
    """Set every parameter and buffer of `model`, on the CPU, in the order of its modules.

    Raises:
        TypeError: a module owns parameters for which there is no rule.
    """
    for name, module in model.named_modules():
        _general(name, module, generator)
    for module in model.modules():
        if isinstance(module, Starts):
            module.start(generator)


def fan_in_uniform(weight: Tensor, generator: torch.Generator) -> None:
    """Fill weight [out, in, ...] uniformly within 1 / sqrt(fan-in) of 0."""
    bound = weight[0].numel() ** -0.5
    nn.init.uniform_(weight, -bound, bound, generator=generator)


def _general(name: str, module: nn.Module, generator: torch.Generator) -> None:
    if isinstance(module, NORMS):
        module.reset_parameters()
    elif isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(
            module.weight, mode="fan_out", nonlinearity="relu", generator=generator
        )
    elif isinstance(module, GATES):
        fan_in_uniform(module.weight, generator)
    elif list(module.parameters(recurse=False)) and not isinstance(module, Starts):
        raise TypeError(f"{name} ({type(module).__name__}) needs a method start(generator)")
    if isinstance(module, (nn.Conv2d, *GATES)) and module.bias is not None:
        nn.init.zeros_(module.bias)

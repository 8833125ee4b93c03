"""A trunk's weights without what a paper adds to it: what networks start from."""

from collections.abc import Mapping

from torch import Tensor, nn

from reidpipe.errors import UserError
from reidpipe.layers.resnet import SLOTS

_TRUNK = "backbone."


def trunk_state(backbone: nn.Module) -> dict[str, Tensor]:
    """State of a trunk without what attention has added: a ResNet's keys are torchvision's."""
    return _plain(backbone.state_dict())


def trunk_of(tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Tensors of a trunk, without attention, out of a whole model; a trunk stays as it is."""
    own = {key: tensor for key, tensor in tensors.items() if key.startswith(_TRUNK)}
    return _plain({key.removeprefix(_TRUNK): own[key] for key in own}) if own else tensors


def _plain(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: tensor for key, tensor in state.items() if not set(SLOTS) & set(key.split("."))}


def load_trunk(backbone: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy a trunk's weights, of a ResNet torchvision's without fc; attention keeps its own.

    Raises:
        UserError: as `load` says.
    """
    load(backbone, tensors, trunk_state(backbone), f"{backbone.name}, without its classifier")


def load(
    module: nn.Module, tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor], name: str
) -> None:
    """Copy `tensors` into a module, where they are the `expected` part of its state.

    Batch counters may be absent: torchvision's oldest files have none, and nothing reads them.

    Raises:
        UserError: keys are missing or unknown, or shapes differ; all of them are named.
    """
    needed = {key for key in expected if not key.endswith("num_batches_tracked")}
    problems = [f"missing: {key}" for key in sorted(needed - set(tensors))]
    problems += [f"unknown: {key}" for key in sorted(set(tensors) - set(expected))]
    problems += [
        f"shape: {key} is {tuple(tensors[key].shape)}, not {tuple(expected[key].shape)}"
        for key in sorted(set(tensors) & set(expected))
        if tensors[key].shape != expected[key].shape
    ]
    if problems:
        raise UserError(
            "the first weights do not fit the network",
            expected=f"the keys and shapes of {name}",
            found="\n".join(problems),
            fix="set weights and systems of the profile to the same network",
        )
    module.load_state_dict(dict(tensors), strict=False)

"""One paper per file: its network, its losses, its recipe.

A file NAME.py has a class `Network`, which is a `System`, and a function `recipe`, which gives a
`Recipe`. Their keyword arguments with a default are the options: `systems.NAME` of a profile.
"""

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, Self

from pydantic import ValidationError
from torch import Tensor, nn

from reidpipe.errors import UserError
from reidpipe.formats.settings.training import Recipe
from reidpipe.layers.trunks import load_trunk, trunk_of
from reidpipe.runtime.settings import Metric, keywords


class System(nn.Module):
    """What training, extraction, export and the report ask of any network."""

    width: int
    """D of the descriptor."""
    metric: Metric = "cosine"
    """What descriptors are compared by, where the parameters do not say."""
    follows: str = ""
    """The system of whose finished run, on the same data set, it takes the whole network."""
    backbone: nn.Module
    """The trunk; it has a `name`."""
    arguments: Mapping[str, Any]
    """`num_classes` and all options, with which it was built."""

    def __init__(self, num_classes: int, **options: Any) -> None:
        super().__init__()
        self.arguments = {"num_classes": num_classes, **options}

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Images [B, 3, H, W] -> what the losses need, each [B, ...].

        Among it are `scores` [B, C], of which the largest is the answer, unless `right` is its own.
        """
        raise NotImplementedError

    def losses(self, out: Mapping[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """Scalar terms by name, whose sum is the loss.

        `out` is the whole batch's, of all ranks; no parameter may be used.
        """
        raise NotImplementedError

    def right(self, out: Mapping[str, Tensor], labels: Tensor) -> Tensor:
        """Which images of the batch are answered rightly, bool [B]: the accuracy of the history."""
        return out["scores"].argmax(1) == labels

    def embed(self, images: Tensor) -> Tensor:
        """The descriptor [B, D] that is searched with; call `eval()` first."""
        raise NotImplementedError

    def last_map(self) -> nn.Module:
        """The part whose output is the last feature map [B, C, H, W]."""
        raise NotImplementedError

    def classifiers(self) -> list[nn.Module]:
        """The parts that are not used after training."""
        raise NotImplementedError

    def start_from(self, tensors: Mapping[str, Tensor]) -> None:
        """Take the first weights of the run's `start`, a trunk's or another run's model: the trunk.

        Raises:
            UserError: they are of another network.
        """
        load_trunk(self.backbone, trunk_of(tensors))

    def begin(self, phase: str) -> None:
        """Do what a phase of the recipe begins with, once."""

    def watched(self) -> dict[str, float]:
        """What history.csv has of the weights at the end of an epoch, beside the losses."""
        return {}

    def about(self) -> dict[str, Any]:
        """JSON-able arguments from which `from_about` builds this network again."""
        name = type(self).__module__.rpartition(".")[2]
        return {"system": name, **self.arguments}

    @classmethod
    def from_about(cls, about: Mapping[str, Any]) -> Self:
        """Build the network, without its weights; keys that are not arguments are left alone.

        Raises:
            UserError: an argument is missing.
            ValueError: a value is none that a network is built with.
        """
        kind = keywords(f"systems/{about['system']}.py", "Network")
        names = ("num_classes", *kind.model_fields)
        check_described(about, names)
        options = kind.model_validate({name: about[name] for name in kind.model_fields})
        return cls(about["num_classes"], **options.model_dump())


def check_described(about: Mapping[str, Any], names: Iterable[str]) -> None:
    """Refuse a description in which one of `names` is missing.

    Raises:
        UserError: one is.
    """
    if missing := [name for name in names if name not in about]:
        raise UserError(
            "a model file does not say how its network is built",
            expected=", ".join(names),
            found=f"nothing about {', '.join(missing)}",
            fix="dvc repro writes it again",
        )


def network(system: str) -> type[System]:
    """The network of `reidpipe/systems/{system}.py`."""
    found: type[System] = import_module(f"reidpipe.systems.{system}").Network
    return found


def recipe(system: str, options: Mapping[str, Any]) -> Recipe:
    """The recipe of `reidpipe/systems/{system}.py`, with `options` in place of the paper's.

    Raises:
        UserError: the options do not go together.
    """
    try:
        found: Recipe = import_module(f"reidpipe.systems.{system}").recipe(**options)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UserError(
            f"the recipe of {system} cannot be had",
            where=".".join(map(str, first["loc"])),
            expected=first["msg"],
            found=repr(first["input"]),
        ) from None
    return found

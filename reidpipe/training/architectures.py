"""Which of our trunks a file's tensors are of."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from reidpipe.errors import UserError
from reidpipe.layers.resnet import CEIL, SHAPES
from reidpipe.layers.resnet import Backbone as ResNet
from reidpipe.systems.osnet import Trunk as OSNet

MULTIPLIERS = (1.0, 0.75, 0.5, 0.25)
"""Of OSNet, in which its author offers it."""
LISTED = 10
"""Tensors of a kind that a message names."""
COUNTERS = "num_batches_tracked"
"""Of batch norms, which old files lack and nothing reads."""


@dataclass(frozen=True)
class Fit:
    """How the tensors of a file fit a trunk."""

    name: str
    """Of the trunk."""
    fitting: int
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    shapes: tuple[str, ...]
    """Tensors of another shape, with both."""

    @property
    def whole(self) -> bool:
        """Whether the trunk is full and nothing is left over."""
        return not self.missing and not self.unknown and not self.shapes

    def __str__(self) -> str:
        lines = [f"{self.fitting} tensors fit"]
        for kind in ("missing", "unknown", "shapes"):
            names = getattr(self, kind)
            more = f", ... ({len(names)})" if len(names) > LISTED else ""
            lines += [f"{kind}: {', '.join(names[:LISTED])}{more}"] if names else []
        return "\n".join(lines)


@cache
def trunks() -> Mapping[str, Mapping[str, torch.Size]]:
    """Shapes of the tensors of each trunk, by its name; no memory is taken for them."""
    return {module.name: {k: v.shape for k, v in module.state_dict().items()} for module in _all()}


def _all() -> Iterator[ResNet | OSNet]:
    with torch.device("meta"):
        for name in SHAPES:
            if not name.endswith(CEIL):  # the same tensors
                yield ResNet(name)
        for multiplier in MULTIPLIERS:
            yield OSNet(multiplier)


def fit(tensors: Mapping[str, Tensor], name: str) -> Fit:
    """How `tensors`, by the names of a trunk, fit the trunk `name`."""
    expected = trunks()[name]
    both = sorted(expected.keys() & tensors.keys())
    wrong = [key for key in both if tensors[key].shape != expected[key]]
    return Fit(
        name=name,
        fitting=len(both) - len(wrong),
        missing=tuple(k for k in sorted(expected.keys() - tensors.keys()) if COUNTERS not in k),
        unknown=tuple(sorted(tensors.keys() - expected.keys())),
        shapes=tuple(f"{k} {[*tensors[k].shape]}, not {[*expected[k]]}" for k in wrong),
    )


def nearest(tensors: Mapping[str, Tensor]) -> Fit:
    """The trunk that most of the tensors fit; of two the one that lacks less."""
    fits = [fit(tensors, name) for name in trunks()]
    return max(fits, key=lambda found: (found.fitting, -len(found.missing), -len(found.unknown)))


def whole(tensors: Mapping[str, Tensor], where: object) -> str:
    """The name of the trunk that `tensors` are of.

    Raises:
        UserError: they are of none of ours; the nearest is named, and what does not fit it.
    """
    found = nearest(tensors)
    if not found.whole:
        raise UserError(
            "a network of this shape is not known here",
            where=where,
            expected=f"one of {', '.join(trunks())}",
            found=f"the nearest is {found.name}: {found}",
        )
    return found.name

"""Tensors by our names, whoever named them."""

from collections.abc import Mapping
from dataclasses import dataclass
from re import fullmatch

from torch import Tensor

from reidpipe.formats.checkpoints import bot, fastreid, timm, torchreid
from reidpipe.formats.checkpoints.codebase import CodeBase

# The first that knows a file's names: torchreid's ResNet is one of timm's with more to it.
CODE_BASES = (fastreid.FASTREID, bot.BOT, torchreid.OSNET, torchreid.RESNET, timm.TIMM)
WRAPPERS = ("module.", "_orig_mod.")
"""What torch writes before each name of a network on several GPUs, or of a compiled one."""
TRUNK = "backbone."


@dataclass(frozen=True)
class Renamed:
    """A file's tensors, and whose names they had."""

    base: CodeBase
    tensors: Mapping[str, Tensor]
    """By our names."""
    left: Mapping[str, Tensor]
    """By their own names: what we have no name for."""
    unused: Mapping[str, Tensor]
    """By their own names: what no descriptor needs."""

    @property
    def trunk(self) -> dict[str, Tensor]:
        """Tensors of the trunk, by its own names."""
        found = {name: value for name, value in self.tensors.items() if name.startswith(TRUNK)}
        return {name.removeprefix(TRUNK): value for name, value in found.items()}


def renamed(tensors: Mapping[str, Tensor]) -> Renamed | None:
    """By the table of the code base that the names are of; None where they are of none."""
    plain = _unwrapped(tensors)
    base = next((known for known in CODE_BASES if known.knows(plain)), None)
    if base is None:
        return None
    unused = {name: value for name, value in plain.items() if fullmatch(base.unused, name)}
    found = {name: base.ours(name) for name in plain if name not in unused}
    return Renamed(
        base=base,
        tensors={ours: plain[name] for name, ours in found.items() if ours},
        left={name: plain[name] for name, ours in found.items() if not ours},
        unused=unused,
    )


def _unwrapped(tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    for wrapper in WRAPPERS:
        if tensors and all(name.startswith(wrapper) for name in tensors):
            return _unwrapped({name.removeprefix(wrapper): tensors[name] for name in tensors})
    return tensors

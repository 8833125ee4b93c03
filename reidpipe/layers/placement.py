"""Where each attention module sits in the backbone (docs/decisions.md)."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

from torch import nn

from reidpipe.errors import UserError
from reidpipe.layers.resnet import Backbone, Block, width


def every_block(backbone: Backbone) -> Iterable[Block]:
    """SE, ECA, CBAM: all residual branches (Fig. 3 of the paper)."""
    return backbone.blocks()


def late_blocks(backbone: Backbone) -> Iterable[Block]:
    """Non-local: the last two blocks of layer2 and the last three of layer3, or as many as are."""
    _, layer2, layer3, _ = backbone.stages()
    return layer2[-2:] + layer3[-3:]


def middle_ends(backbone: Backbone) -> Iterable[Block]:
    """IANet: the last blocks of layer2 and layer3."""
    _, layer2, layer3, _ = backbone.stages()
    return [layer2[-1], layer3[-1]]


def last_block(backbone: Backbone) -> Iterable[Block]:
    """Dual attention: on the final feature map."""
    return backbone.stages()[-1][-1:]


# PLACE of an attention file -> (the slot of a block, which blocks). Slot `attention` is after the
# last batch norm, before the addition; slot `after` is behind the block's last ReLU.
PLACES: dict[str, tuple[str, Callable[[Backbone], Iterable[Block]]]] = {
    "block": ("attention", every_block),
    "stages": ("after", late_blocks),
    "ends": ("after", middle_ends),
    "top": ("after", last_block),
}


def place(backbone: Backbone, attention: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Put the module of `reidpipe/attention/{attention}.py` where its PLACE says; all its options.

    Raises:
        UserError: the module does not know one of the options.
    """
    module = import_module(f"reidpipe.attention.{attention}")
    slot, blocks = PLACES[module.PLACE]
    _check_options(module.Attention, attention, options)
    for block in blocks(backbone):
        setattr(block, slot, module.Attention(width(block), **options))
    return {**(module.Attention.__init__.__kwdefaults__ or {}), **options}


def _check_options(kind: type[nn.Module], attention: str, options: Mapping[str, Any]) -> None:
    known = list(inspect.signature(kind).parameters)[1:]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise UserError(
            f"the attention module {attention!r} has no such option",
            where=f"params.yaml: systems.ours.options.{attention}",
            expected=", ".join(known) or "no options",
            found=", ".join(unknown),
        )

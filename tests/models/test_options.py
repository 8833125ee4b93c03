"""Options of attention modules: what params.yaml allows is what a module knows, and each acts."""

import inspect
from importlib import import_module
from typing import Any, get_type_hints

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from reidpipe.models.initial import initialise
from reidpipe.models.placement import place
from reidpipe.models.resnet import Backbone
from reidpipe.params import AttentionParams, attentions

PARAMS = AttentionParams()
OTHER_VALUES = [
    ("se", "reduction", 8),
    ("se", "bias", True),
    ("eca", "gamma", 1),
    ("eca", "b", 4),
    ("cbam", "reduction", 8),
    ("cbam", "kernel", 3),
    ("cbam", "bias", True),
    ("cbam", "order", "spatial-channel"),
    ("nonlocal", "inner", "one"),
    ("nonlocal", "form", "dot"),
    ("danet", "reduction", 4),
]


def sections() -> dict[str, Any]:
    """The section of each attention that has one."""
    return {name: PARAMS.options(name) for name in attentions() if PARAMS.options(name)}


def keywords(name: str) -> dict[str, inspect.Parameter]:
    kind = import_module(f"reidpipe.models.attention.{name}").Attention
    found = inspect.signature(kind).parameters
    return {key: parameter for key, parameter in found.items() if key != "channels"}


@pytest.mark.parametrize("name", attentions())
def test_a_section_has_the_options_and_defaults_of_its_module(name: str) -> None:
    known = {key: parameter.default for key, parameter in keywords(name).items()}
    assert PARAMS.options(name) == known


@pytest.mark.parametrize("name", sections())
def test_choices_are_the_same_in_both_places(name: str) -> None:
    kind = import_module(f"reidpipe.models.attention.{name}").Attention
    hints = get_type_hints(kind.__init__)
    field = "nonlocal_" if name == "nonlocal" else name
    for option, info in type(getattr(PARAMS, field)).model_fields.items():
        if hints[option] not in {int, bool}:
            assert info.annotation == hints[option]


def test_every_option_is_tried_below() -> None:
    tried = {(name, option) for name, option, _ in OTHER_VALUES}
    assert tried == {(name, option) for name, options in sections().items() for option in options}


@pytest.mark.parametrize(("name", "option", "value"), OTHER_VALUES)
def test_an_option_of_params_changes_the_network(name: str, option: str, value: object) -> None:
    changed = AttentionParams.model_validate({name: {option: value}})
    sizes, outputs = zip(*(placed(name, params) for params in (PARAMS, changed)), strict=True)
    assert sizes[0] != sizes[1] or not torch.allclose(*outputs)


def placed(name: str, params: AttentionParams) -> tuple[int, Tensor]:
    """Number of weights, and the feature map with every weight of the attention drawn."""
    backbone, generator = Backbone("resnet18"), torch.Generator().manual_seed(0)
    place(backbone, name, params.options(name))
    initialise(backbone, generator)
    for key, weights in backbone.named_parameters():
        if {"attention", "after"} & set(key.split(".")):
            nn.init.normal_(weights, mean=0.1, std=0.1, generator=generator)
    images = torch.randn(2, 3, 32, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return sum(weights.numel() for weights in backbone.parameters()), backbone(images)


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("nonlocal", "inner", "two"),
        ("nonlocal", "form", "gaussian"),
        ("cbam", "order", "both"),
        ("cbam", "kernel", 5),
        ("se", "bias", "perhaps"),
        ("se", "reduction", 0),
        ("danet", "inner", "one"),
    ],
)
def test_values_and_options_outside_the_literature_are_refused(
    name: str, option: str, value: object
) -> None:
    with pytest.raises(ValidationError, match=option):
        AttentionParams.model_validate({name: {option: value}})

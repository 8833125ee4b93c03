"""Options of attention modules: what params.yaml allows is what a module knows, and each acts."""

import inspect
from importlib import import_module
from typing import Annotated, Any, get_type_hints

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn

from reidpipe.layers.initial import initialise
from reidpipe.layers.placement import place
from reidpipe.layers.resnet import Backbone
from reidpipe.runtime.settings import ATTENTION_OPTIONS, attentions, keywords

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
    ("ianet", "relation", "softmax"),
]


def options(name: str) -> dict[str, Any]:
    """Defaults of an attention, as params.yaml has them where it says nothing."""
    return keywords(f"attention/{name}.py", "Attention")().model_dump()


@pytest.mark.parametrize("name", attentions())
def test_a_section_has_the_options_and_defaults_of_its_module(name: str) -> None:
    """The section is read from the text of the module, and here from the module itself."""
    kind = import_module(f"reidpipe.attention.{name}").Attention
    found = inspect.signature(kind).parameters
    assert options(name) == {k: p.default for k, p in found.items() if k != "channels"}
    hints = get_type_hints(kind.__init__, include_extras=True)
    for option, info in keywords(f"attention/{name}.py", "Attention").model_fields.items():
        written = TypeAdapter(hints[option]).json_schema()
        annotation: Any = info.annotation
        for part in info.metadata:
            annotation = Annotated[annotation, part]
        assert TypeAdapter(annotation).json_schema() == written


def test_every_option_is_tried_below() -> None:
    tried = {(name, option) for name, option, _ in OTHER_VALUES}
    assert tried == {(name, option) for name in attentions() for option in options(name)}


@pytest.mark.parametrize(("name", "option", "value"), OTHER_VALUES)
def test_an_option_of_params_changes_the_network(name: str, option: str, value: object) -> None:
    changed = options(name) | {option: value}
    sizes, outputs = zip(*(placed(name, own) for own in (options(name), changed)), strict=True)
    assert sizes[0] != sizes[1] or not torch.allclose(*outputs)


def placed(name: str, own: dict[str, Any]) -> tuple[int, Tensor]:
    """Number of weights, and the feature map with every weight of the attention drawn."""
    backbone, generator = Backbone("resnet18"), torch.Generator().manual_seed(0)
    place(backbone, name, own)
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
        TypeAdapter(Annotated[dict[str, Any], ATTENTION_OPTIONS]).validate_python(
            {name: {option: value}}
        )

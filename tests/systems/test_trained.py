"""A model file of other code, or of none, is explained."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from reidpipe.errors import UserError
from reidpipe.formats import weights as checkpoint
from reidpipe.layers.initial import initialise, torch_stream
from reidpipe.systems.ours import Network
from reidpipe.systems.trained import load

FIRST = "backbone.conv1.weight"


@pytest.fixture(scope="module")
def parts() -> tuple[dict[str, Tensor], dict[str, Any]]:
    model = Network(2, attention="none", classifier="linear", triplet=False, backbone="resnet18")
    initialise(model, torch_stream(0, "weights"))
    return model.state_dict(), {**model.about(), "image_size": (32, 16), "run": "mine"}


def saved(folder: Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> Path:
    checkpoint.save(folder / "model.safetensors", tensors, about)
    return folder / "model.safetensors"


def test_what_was_saved_comes_back_ready_to_embed(
    parts: tuple[dict[str, Tensor], dict[str, Any]], tmp_path: Path
) -> None:
    model, image_size, run = load(saved(tmp_path, *parts))
    assert (image_size, run, model.training) == ((32, 16), "mine", False)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, parts[0][name])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"backbone": "vgg"}, "'vgg'"),
        ({"backbone": "resnet50"}, "size mismatch"),
        ({"attention": "foo"}, "foo"),
        ({"attention": "..x"}, "..x"),
        ({"circle": {"scale": -1}}, "scale"),
        ({"num_classes": 3}, "size mismatch for head.weight"),
        ({"num_classes": "x"}, "TypeError"),
        ({"image_size": [0, 0]}, "image_size 0x0"),
        ({"image_size": "x"}, "unpack"),
        ({"image_size": ["a", "b"]}, "TypeError"),
    ],
)
def test_a_description_that_does_not_fit_is_explained(
    parts: tuple[dict[str, Tensor], dict[str, Any]],
    change: dict[str, Any],
    words: str,
    tmp_path: Path,
) -> None:
    tensors, about = parts
    with pytest.raises(UserError, match="a model file does not fit this code") as caught:
        load(saved(tmp_path, tensors, about | change))
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) < 12


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({FIRST: None}, "Missing key"),
        ({"x": torch.zeros(1)}, "Unexpected key"),
        ({FIRST: torch.zeros(3)}, "size mismatch"),
    ],
)
def test_tensors_that_do_not_fit_are_named(
    parts: tuple[dict[str, Tensor], dict[str, Any]],
    change: dict[str, Tensor | None],
    words: str,
    tmp_path: Path,
) -> None:
    tensors, about = parts
    changed = {name: value for name, value in (tensors | change).items() if value is not None}
    with pytest.raises(UserError, match="a model file does not fit this code") as caught:
        load(saved(tmp_path, changed, about))
    assert words in str(caught.value)

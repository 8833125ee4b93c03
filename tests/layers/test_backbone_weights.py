"""torchvision's weights enter the plain part of the backbone completely or not at all."""

import pytest
import torch
from torch import Tensor
from torchvision import models

from reidpipe.errors import UserError
from reidpipe.layers.trunks import load_trunk, trunk_state
from reidpipe.runtime.settings import attentions
from reidpipe.systems.ours import Network


def network(attention: str, backbone: str = "resnet18") -> Network:
    return Network(3, attention=attention, classifier="linear", triplet=False, backbone=backbone)


def torchvision_weights(backbone: str = "resnet18") -> dict[str, Tensor]:
    state: dict[str, Tensor] = getattr(models, backbone)().state_dict()
    return {key: tensor for key, tensor in state.items() if not key.startswith("fc.")}


@pytest.mark.parametrize("attention", attentions())
@pytest.mark.parametrize("backbone", ["resnet18", "resnet50"])
def test_all_that_torchvision_has_and_nothing_else(attention: str, backbone: str) -> None:
    model, tensors = network(attention, backbone), torchvision_weights(backbone)
    others = {k: v.clone() for k, v in model.state_dict().items() if "attention" in k}
    load_trunk(model.backbone, tensors)
    state = trunk_state(model.backbone)
    assert set(state) == set(tensors)
    assert all(torch.equal(state[key], tensors[key]) for key in tensors)
    assert all(torch.equal(model.state_dict()[key], value) for key, value in others.items())


def test_batch_counters_may_be_absent() -> None:
    tensors = torchvision_weights()
    old = {k: v for k, v in tensors.items() if not k.endswith("num_batches_tracked")}
    model = network("cbam")
    load_trunk(model.backbone, old)
    assert torch.equal(trunk_state(model.backbone)["bn1.weight"], tensors["bn1.weight"])


def test_every_misfit_is_named_and_nothing_is_loaded() -> None:
    model, tensors = network("cbam"), torchvision_weights()
    before = {key: tensor.clone() for key, tensor in trunk_state(model.backbone).items()}
    del tensors["layer1.0.conv1.weight"]
    tensors["fc.weight"] = torch.zeros(1000, 512)
    tensors["conv1.weight"] = torch.zeros(64, 3, 3, 3)
    with pytest.raises(UserError) as caught:
        load_trunk(model.backbone, tensors)
    assert caught.value.details["found"].splitlines() == [
        "missing: layer1.0.conv1.weight",
        "unknown: fc.weight",
        "shape: conv1.weight is (64, 3, 3, 3), not (64, 3, 7, 7)",
    ]
    assert all(
        torch.equal(trunk_state(model.backbone)[key], value) for key, value in before.items()
    )


def test_weights_of_another_backbone_are_refused() -> None:
    with pytest.raises(UserError, match="do not fit"):
        load_trunk(network("none").backbone, torchvision_weights("resnet50"))

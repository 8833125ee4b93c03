"""The plain backbone against torchvision's own ResNet with the same weights."""

import pytest
import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models.resnet import BasicBlock, ResNet

from reidpipe.layers.resnet import Backbone
from tests.parity.compare import draw

NAMES = ["resnet18", "resnet34", "resnet50", "resnet101"]
each_name = pytest.mark.parametrize("name", NAMES)


def theirs(name: str) -> nn.Module:
    """ResNet of torchvision up to its last feature map."""
    network: nn.Module = getattr(models, name)()
    network.avgpool, network.fc = nn.Identity(), nn.Identity()
    return network


def pair(name: str) -> tuple[Backbone, nn.Module]:
    ours, other = Backbone(name), theirs(name)
    ours.load_state_dict(other.state_dict())
    return ours, other


def strided(backbone: Backbone) -> list[nn.Conv2d]:
    """Convolutions whose stride re-identification changes, by their names in torchvision."""
    block = backbone.stages()[3][0]
    return [block.conv2 if hasattr(block, "conv3") else block.conv1, block.downsample[0]]


@each_name
def test_same_features_before_the_stride_change(name: str) -> None:
    ours, other = pair(name)
    for conv in strided(ours):
        conv.stride = (2, 2)
    images = draw(2, 3, 32, 32, dtype=torch.float32)
    assert torch.equal(ours(images).flatten(1), other(images))


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])  # one of each kind of block
def test_same_gradients_before_the_stride_change(name: str) -> None:
    ours, other = pair(name)
    for conv in strided(ours):
        conv.stride = (2, 2)
    images = draw(2, 3, 32, 32, dtype=torch.float32)
    ours(images).flatten(1).square().mean().backward()
    other(images).square().mean().backward()
    gradients = {key: weights.grad for key, weights in other.named_parameters()}
    for key, weights in ours.named_parameters():
        torch.testing.assert_close(weights.grad, gradients[key], rtol=1e-4, atol=1e-7)


@each_name
def test_last_stride_is_one_without_dilation(name: str) -> None:
    changed, plain = {}, dict(theirs(name).named_modules())
    for key, module in Backbone(name).named_modules():
        if isinstance(module, nn.Conv2d):
            assert module.dilation == (1, 1)
            assert module.padding == plain[key].padding
            if module.stride != plain[key].stride:
                changed[key] = module.stride
    conv = "layer4.0.conv2" if name in {"resnet50", "resnet101"} else "layer4.0.conv1"
    assert changed == {conv: (1, 1), "layer4.0.downsample.0": (1, 1)}


@pytest.mark.parametrize(("name", "channels"), [("resnet18", 512), ("resnet50", 2048)])
def test_the_feature_map_is_a_sixteenth(name: str, channels: int) -> None:
    backbone = Backbone(name).eval()
    out: Tensor = backbone(draw(1, 3, 64, 32, dtype=torch.float32))
    assert out.shape == (1, channels, 4, 2)
    assert backbone.channels == channels


def test_resnet10_x0_5_has_half_the_channels_of_torchvision_s_blocks() -> None:
    whole = ResNet(BasicBlock, [1, 1, 1, 1])
    whole.fc = nn.Identity()
    half = {
        key: [size // 2 for size in tensor.shape[:2]] + list(tensor.shape[2:])
        for key, tensor in whole.state_dict().items()
    }
    half["conv1.weight"][1] = 3
    ours = Backbone("resnet10_x0_5").state_dict()
    assert {key: list(tensor.shape) for key, tensor in ours.items()} == half

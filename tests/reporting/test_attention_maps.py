"""Grad-CAM and spatial gates against what can be computed otherwise."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from reidpipe.images.transforms import normalise
from reidpipe.reporting.pictures.attention_maps import grad_cam, looks, overlaid, pair
from reidpipe.reporting.reading.inputs import Inputs
from reidpipe.systems.ours import Network
from reidpipe.systems.trained import load


@pytest.fixture(scope="module")
def network(inputs: Inputs) -> tuple[Network, torch.Tensor]:
    """The fake Ours with gates that are not flat, and two images of one person."""
    model, size, _ = load(inputs.root / "runs/market1501-ours/model.safetensors")
    assert isinstance(model, Network)
    for name, weights in model.named_parameters():
        if name.endswith("spatial.bn.weight"):
            torch.nn.init.ones_(weights)
    data = inputs.data_set("market1501")
    shot = data.subsets["query"][0]
    match = next(s for s in data.subsets["gallery"] if s.pid == shot.pid)
    return model, pair(data.zipped, (shot.member, match.member), size)


def test_grad_cam_of_a_known_map() -> None:
    """Two channels: the first helps, the second hurts more."""
    feature_map = torch.tensor([[[0.0, 1.0], [2.0, 4.0]], [[0.0, 0.0], [4.0, 0.0]]])
    gradient = torch.stack([torch.full((2, 2), 1.0), torch.full((2, 2), -1.0)])
    assert grad_cam(feature_map, gradient).tolist() == [[0, 0.25], [0, 1]]


def test_the_map_is_that_of_the_projection(network: tuple[Network, torch.Tensor]) -> None:
    """Pooling and BN neck are linear: each channel's weight can be written down."""
    model, images = network
    neck = model.neck
    with torch.no_grad():
        feature_map = model.backbone(normalise(images)).double()
        target = F.normalize(neck.double()(feature_map.mean((2, 3))), dim=1)[1]
        assert neck.running_var is not None
        weight = target * neck.weight / torch.sqrt(neck.running_var + neck.eps)
        weighed = torch.einsum("c,chw->hw", weight, feature_map[0]).relu().numpy()
    neck.float()
    expected = (weighed - weighed.min()) / np.ptp(weighed)
    assert np.allclose(looks(model, images).grad_cam, expected, atol=1e-4)


def test_gates_are_the_last_of_each_stage(network: tuple[Network, torch.Tensor]) -> None:
    model, images = network
    seen = looks(model, images).gates
    assert list(seen) == ["layer1", "layer2", "layer3", "layer4"]
    assert seen["layer1"].shape == (16, 8)
    for gate in seen.values():
        assert (gate.min(), gate.max()) == (0, 1)


def test_hooks_are_gone_afterwards(network: tuple[Network, torch.Tensor]) -> None:
    model, images = network
    looks(model, images)
    assert not any(module._forward_hooks for module in model.modules())


def test_networks_without_cbam_have_no_gates(inputs: Inputs) -> None:
    model, size, _ = load(inputs.root / "runs/market1501-baseline/model.safetensors")
    data = inputs.data_set("market1501")
    members = data.subsets["query"][0].member, data.subsets["gallery"][0].member
    assert looks(model, pair(data.zipped, members, size)).gates == {}


def test_overlay_keeps_the_size_and_shows_the_map(inputs: Inputs) -> None:
    data = inputs.data_set("market1501")
    picture = data.picture(data.subsets["query"][0])
    palette = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    hot = np.array([[1, 0]], dtype=np.float32)
    pixels = np.asarray(overlaid(picture, hot, palette)).astype(int)
    assert pixels.shape == (picture.height, picture.width, 3)
    assert pixels[:, 0].mean() > pixels[:, -1].mean() + 80

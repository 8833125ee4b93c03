"""AACN: vectors of masks, weights of what is seen, a pose branch that never moves."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from reidpipe.errors import UserError
from reidpipe.layers.trunks import trunk_state
from reidpipe.systems.aacn import MAPS, PARTS, Network, Pose, aligned
from reidpipe.systems.aacn import recipe as of_paper
from reidpipe.training.phases import ready
from tests.systems.small import SIZES, images, labels, network, recipe


def aacn() -> Network:
    model = network("aacn")
    assert isinstance(model, Network)
    return model


def test_the_parts_are_three_rigid_ones_and_eight_limbs() -> None:
    assert (PARTS, MAPS) == (11, 25)
    with torch.no_grad():
        found = aacn().eval().pose(images("aacn"))
    assert [tuple(maps.shape) for maps in found] == [(8, 25, 4, 2)] * 2


def test_vectors_pixel_by_pixel() -> None:
    feature_map = torch.randn(2, 5, 3, 2, dtype=torch.float64)
    masks = torch.rand(2, 4, 6, 4, dtype=torch.float64)
    vectors, visible = aligned(feature_map, masks)
    small = F.avg_pool2d(masks, 2)
    expected = torch.zeros(2, 4, 5, dtype=torch.float64)
    for row in range(3):
        for column in range(2):
            pixel = feature_map[:, :, row, column]
            expected += small[:, :, row, column, None] * pixel[:, None] / 6
    torch.testing.assert_close(vectors, expected)
    torch.testing.assert_close(visible, masks.mean((2, 3)))


def test_with_whole_masks_a_part_is_the_global_average() -> None:
    feature_map = torch.randn(2, 5, 3, 2)
    vectors, visible = aligned(feature_map, torch.ones(2, 4, 3, 2))
    torch.testing.assert_close(vectors, feature_map.mean((2, 3))[:, None].expand(2, 4, 5))
    assert torch.equal(visible, torch.ones(2, 4))
    nothing, hidden = aligned(feature_map, torch.zeros(2, 4, 3, 2))
    assert not nothing.any()
    assert not hidden.any()


def test_permuted_masks_permute_the_vectors() -> None:
    feature_map, masks = torch.randn(2, 5, 3, 2), torch.rand(2, 4, 3, 2)
    order = [3, 1, 0, 2]
    found = [part[:, order] for part in aligned(feature_map, masks)]
    for one, other in zip(found, aligned(feature_map, masks[:, order]), strict=True):
        torch.testing.assert_close(one, other)


def test_maps_that_do_not_divide_are_refused() -> None:
    with pytest.raises(UserError, match="multiples of 16"):
        aligned(torch.zeros(1, 2, 3, 2), torch.zeros(1, 4, 5, 3))


def test_the_descriptor_is_composed_of_weighed_parts_and_the_whole() -> None:
    model = aacn().eval()
    with torch.no_grad():
        masks = model.pose(images("aacn"))[-1][:, 14:].clamp(0, 1)
        feature_map = model.backbone(images("aacn"))
        vectors, visible = aligned(feature_map, masks)
        weight, bias = model.relevance.weight, model.relevance.bias
        weighed = vectors * torch.sigmoid(visible @ weight.T + bias)[..., None]
        whole = torch.cat([weighed.flatten(1), feature_map.mean((2, 3))], dim=1)
        torch.testing.assert_close(model.embed(images("aacn")), model.composition(whole))


def test_training_reaches_the_trunk_and_never_the_pose() -> None:
    model = aacn()
    (phase,) = recipe("aacn").phases
    learnable = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert not any(name.startswith("pose.") for name in learnable)
    optimiser = ready(model, phase, learnable)
    before = {name: value.clone() for name, value in model.pose.state_dict().items()}
    rates = {group["factor"] for group in optimiser.param_groups}
    assert rates == {0.1, 1.0}
    for _ in range(2):
        loss = model.losses(model(images("aacn")), labels())["ce"]
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    for name, value in model.pose.state_dict().items():
        assert torch.equal(value, before[name]), "its batch norms count nothing either"
    assert model.backbone.conv1.weight.grad is not None


def test_it_starts_from_a_trunk_and_a_pose_branch() -> None:
    model, other = aacn(), aacn()
    with torch.no_grad():
        other.backbone.conv1.weight.fill_(1.0)
        other.get_submodule("pose.early.conv1").weight.fill_(2.0)  # type: ignore[operator]
    pose = {f"pose.{name}": value for name, value in other.pose.state_dict().items()}
    trunk = trunk_state(other.backbone)
    model.start_from(pose)
    assert (model.pose.state_dict()["early.conv1.weight"] == 2).all()
    assert not (model.backbone.conv1.weight == 1).all()
    model.start_from({**trunk, **pose})
    assert (model.backbone.conv1.weight == 1).all()
    with pytest.raises(UserError, match="the pose branch that the stage pose trains"):
        model.start_from(trunk)


def test_the_pose_branch_starts_from_the_early_layers_of_a_trunk() -> None:
    pose = Pose("resnet10_x0_5", SIZES["aacn"].network["pose_width"])
    trunk = trunk_state(network("aacn").backbone)
    pose.start_from(trunk)
    for name, value in pose.early.state_dict().items():
        assert torch.equal(value, trunk[name])
    assert not any(name.startswith(("layer3", "layer4")) for name in pose.early.state_dict())


def test_the_recipe() -> None:
    found = of_paper()
    (phase,) = found.phases
    assert (found.image_size, found.batches.size) == ((448, 192), 64)
    assert (phase.optimiser, phase.frozen) == ("sgd", ("pose",))

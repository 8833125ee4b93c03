"""MGN with the circle loss: three branches, eight vectors, one loss."""

import torch
from torch.nn import functional as F  # noqa: N812

from reidpipe.layers.resnet import Backbone
from reidpipe.layers.stripes import stripes
from reidpipe.losses.circle import circle_logits
from reidpipe.systems.mgn import Network
from tests.systems.small import images, labels, network


def mgn(**changes: object) -> Network:
    model = network("mgn", **changes)
    assert isinstance(model, Network)
    return model


def test_there_are_eight_vectors_of_three_branches() -> None:
    model = Network(3).eval().to("meta")
    seen: list[torch.Size] = []
    for part in (
        model.backbone.layer4,
        *(branch.get_submodule("layer4") for branch in model.branches),
    ):
        part.register_forward_hook(lambda _m, _i, out: seen.append(out.shape[1:]))
    with torch.device("meta"), torch.no_grad():
        assert len(model.pooled(torch.zeros(1, 3, 384, 128))) == 8
    assert [tuple(shape) for shape in seen] == [(2048, 12, 4), (2048, 24, 8), (2048, 24, 8)]
    assert model.width == 2048


def test_they_are_maxima_of_the_whole_the_halves_and_the_thirds() -> None:
    model = mgn().eval()
    maps = []
    for branch in model.branches:
        branch.register_forward_hook(lambda _m, _i, out: maps.append(out))
    with torch.no_grad():
        vectors = model.pooled(images("mgn"))
    second, third = maps
    torch.testing.assert_close(vectors[1], second.amax((2, 3)))
    torch.testing.assert_close(vectors[2], third.amax((2, 3)))
    torch.testing.assert_close(vectors[3], second[:, :, :3].amax((2, 3)))
    torch.testing.assert_close(vectors[4], second[:, :, 3:].amax((2, 3)))
    torch.testing.assert_close(vectors[6], third[:, :, 2:4].amax((2, 3)))
    torch.testing.assert_close(torch.maximum(vectors[3], vectors[4]), vectors[1])
    torch.testing.assert_close(vectors[5], third[:, :, :2].amax((2, 3)))
    torch.testing.assert_close(vectors[7], third[:, :, 4:].amax((2, 3)))
    trunk = model.backbone
    with torch.no_grad():
        torch.testing.assert_close(vectors[0], trunk(images("mgn")).amax((2, 3)))
        reduced = [
            part(v[..., None, None]) for part, v in zip(model.reductions, vectors, strict=True)
        ]
        expected = torch.cat([part[..., 0, 0] for part in reduced], dim=1)
        torch.testing.assert_close(model.embed(images("mgn")), expected)


def test_stripes_may_be_maxima() -> None:
    x = torch.randn(2, 3, 6, 4)
    found = stripes(x, 3, "max")
    torch.testing.assert_close(found[:, :, 1], x[:, :, 2:4].amax((2, 3)))


def test_branches_start_equal_and_learn_apart() -> None:
    model, trunk = mgn(), Backbone("resnet10_x0_5")
    model.start_from(trunk.state_dict())
    first, second = (branch.layer4.state_dict() for branch in model.branches)  # type: ignore[union-attr]
    for name, tensor in trunk.layer4.state_dict().items():
        for found in (first, second, model.backbone.layer4.state_dict()):
            assert torch.equal(found[name], tensor)
    torch.nn.init.zeros_(model.branches[0].layer4[0].conv1.weight)  # type: ignore[union-attr,index]
    assert trunk.layer4[0].conv1.weight.any()  # type: ignore[operator,union-attr]
    assert model.backbone.layer4[0].conv1.weight.any()  # type: ignore[operator,union-attr]
    assert model.branches[1].layer4[0].conv1.weight.any()  # type: ignore[union-attr,index]


def test_a_resnet50_is_split_behind_the_first_block_of_its_third_stage() -> None:
    model = Network(3)
    keys = {
        name.split(".")[2] + "." + name.split(".")[3]
        for name, _ in model.branches.named_parameters(prefix="x")
    }
    assert keys == {f"layer3.{i}" for i in range(1, 6)} | {f"layer4.{i}" for i in range(3)}


def test_the_only_loss_is_one_circle_loss_of_the_whole_descriptor() -> None:
    model = mgn().eval()
    with torch.no_grad():
        out = model(images("mgn"))
        descriptor = model.embed(images("mgn"))
    cosines = F.normalize(descriptor) @ F.normalize(model.head.weight).T
    torch.testing.assert_close(out["scores"], cosines)
    found = model.losses(out, labels())
    logits = circle_logits(cosines, labels(), scale=128.0, margin=0.25)
    assert found.keys() == {"circle"}
    torch.testing.assert_close(found["circle"], F.cross_entropy(logits, labels()))
    assert (descriptor >= 0).all()

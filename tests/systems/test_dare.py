"""DaRe: a descriptor a stage and their learned sum, each with a triplet loss."""

import math

import pytest
import torch
import torchvision

from reidpipe.losses.triplet import batch_hard
from reidpipe.systems.dare import Network
from reidpipe.systems.dare import recipe as of_paper
from tests.systems.small import images, labels, network


def dare() -> Network:
    model = network("dare")
    assert isinstance(model, Network)
    return model


def test_the_descriptor_is_a_weighted_sum_of_the_stages() -> None:
    model = dare().eval()
    with torch.no_grad():
        out = model(images("dare"))
        weights = model.fusion.weight.flatten().clone()
        expected = sum(weights[s] * out["stages"][:, s] for s in range(4))
        torch.testing.assert_close(out["fused"], expected)
        assert torch.equal(model.embed(images("dare")), out["fused"])
        model.fusion.weight.copy_(torch.tensor([[[0.0], [0.0], [0.0], [1.0]]]))
        torch.testing.assert_close(model.embed(images("dare")), out["stages"][:, 3])
    assert weights.abs().max() <= 0.5


def test_a_stage_knows_nothing_of_later_ones() -> None:
    model = dare().eval()
    with torch.no_grad():
        before = model(images("dare"))["stages"]
        for weight in model.last_map().parameters():
            weight.mul_(2)
        after = model(images("dare"))["stages"]
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.allclose(before[:, 3], after[:, 3])


def test_the_fused_loss_teaches_all_stages() -> None:
    model = dare()
    torch.autograd.backward(model.losses(model(images("dare")), labels())["fused"])
    for layer in (1, 2, 3, 4):
        weight = model.get_submodule(f"backbone.layer{layer}.0.conv1").weight
        assert weight.grad is not None
        assert weight.grad.any()  # type: ignore[operator]


def test_a_densenets_stages_are_its_dense_blocks() -> None:
    model = Network(3, trunk="densenet201", hidden=8, embedding=4).eval()
    reference = torchvision.models.densenet201(weights=None).eval()
    reference.load_state_dict(model.backbone.state_dict(), strict=False)
    x = torch.randn(2, 3, 64, 32)
    with torch.no_grad():
        maps = model.backbone.maps(x)
        torch.testing.assert_close(maps[-1], reference.features(x).relu())
        shapes = [tuple(found.shape[1:]) for found in maps]
        assert shapes == [(256, 16, 8), (512, 8, 4), (1792, 4, 2), (1920, 2, 1)]
        first = model.heads[0](model.norms[0](maps[0]).relu().mean((2, 3)))
        torch.testing.assert_close(model(x)["stages"][:, 0], first)
        last = model.heads[3](maps[3].mean((2, 3)))
        torch.testing.assert_close(model(x)["stages"][:, 3], last)
    assert len(model.norms) == 3
    assert model.last_map()(torch.ones(1, 1920, 2, 1)).shape == (1, 1920, 2, 1)


def test_each_vector_has_a_soft_margin() -> None:
    out = {"stages": torch.randn(8, 4, 6), "fused": torch.randn(8, 6)}
    found = dare().losses(out, labels())
    assert list(found) == ["stage1", "stage2", "stage3", "stage4", "fused"]
    expected = batch_hard(out["stages"][:, 2], labels(), margin="soft")
    torch.testing.assert_close(found["stage3"], expected)
    equal = dare().losses({name: torch.zeros_like(part) for name, part in out.items()}, labels())
    assert [value.item() for value in equal.values()] == pytest.approx([math.log(2)] * 5)


def test_the_maps_have_the_sizes_of_the_paper() -> None:
    model = Network(1).eval().to("meta")
    with torch.device("meta"), torch.no_grad():
        maps = model.backbone.maps(torch.zeros(1, 3, 256, 128))
    sizes = [(256, 64, 32), (512, 32, 16), (1024, 16, 8), (2048, 8, 4)]
    assert [tuple(found.shape[1:]) for found in maps] == sizes


def test_the_recipe_is_that_of_the_authors_script() -> None:
    found = of_paper()
    full, falling = found.phases
    assert (found.image_size, found.batches.size) == ((256, 128), 72)
    assert (found.augment["erase"], found.augment["largest"]) == (0.5, 0.2)
    assert (full.optimiser, full.lr, full.weight_decay, full.momentum) == ("adam", 3e-4, 1e-4, 0.9)
    assert (falling.decay, falling.gamma, falling.momentum) == ("exponential", 1e-3, 0.5)
    assert full.epochs == falling.epochs == round(30_000 / (12_936 / 72))

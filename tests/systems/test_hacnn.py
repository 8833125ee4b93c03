"""HA-CNN: the tables of its parts, bands at the start, masks above a half."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.flop_counter import FlopCounterMode

from reidpipe.errors import UserError
from reidpipe.layers.initial import initialise
from reidpipe.layers.sampling import stretched
from reidpipe.systems.hacnn import Hard, Network, Soft, _region
from reidpipe.systems.hacnn import recipe as of_paper
from tests.systems.small import images, labels, network


def hacnn(**changes: object) -> Network:
    model = network("hacnn", **changes)
    assert isinstance(model, Network)
    return model


def count(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def test_the_table_of_parameters() -> None:
    model = Network(751)
    blocks = [[count(part) for part in block] for block in model.backbone.blocks]  # type: ignore[attr-defined]
    assert count(model.backbone.stem) == 960
    assert blocks == [[32_416, 44_704], [144_704, 177_472], [349_152, 398_304]]
    assert [count(part) for part in model.backbone.soft] == [19_240, 75_328, 168_280]
    assert [count(part) for part in model.hard] == [1_032, 2_056, 3_080]
    assert [count(part) for part in model.local] == [32_416, 144_704, 349_152]
    assert (count(model.whole), count(model.parts)) == (198_144, 787_968)
    # What the specification calls the global branch has its classifier's vector and the hard part.
    assert count(model.backbone) + count(model.whole) + count(model.hard) == 1_614_872


def test_the_table_of_shapes() -> None:
    model = Network(3).eval().to("meta")
    local: list[tuple[int, ...]] = []
    for part in model.local:
        part.register_forward_hook(lambda _m, _i, out: local.append(tuple(out.shape[1:])))
    with torch.device("meta"), torch.no_grad():
        stem, plain, _ = model.backbone.maps(torch.zeros(1, 3, 160, 64))
        model.embed(torch.zeros(1, 3, 160, 64))
    assert tuple(stem.shape[1:]) == (32, 80, 32)
    shapes = [tuple(found.shape[1:]) for found in plain]
    assert shapes == [(128, 40, 16), (256, 20, 8), (384, 10, 4)]
    assert local == 4 * [(128, 12, 14), (256, 6, 7), (384, 3, 4)]


def test_operations_but_for_the_sampling_are_those_of_the_specification() -> None:
    with torch.device("meta"):
        model, image = Network(751).eval(), torch.zeros(1, 3, 160, 64)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.embed(image)
    kinds = counter.get_flop_counts()["Global"]
    sampled = sum(
        flops for kind, flops in kinds.items() if kind in {torch.ops.aten.bmm, torch.ops.aten.mm}
    )
    assert (counter.get_total_flops() - sampled) // 2 == 543_994_538


def test_regions_start_as_four_bands() -> None:
    hard = Hard(8)
    initialise(hard, torch.Generator().manual_seed(0))
    found = hard(torch.randn(2, 8, 5, 3))
    expected = [[0.0, math.tanh(y)] for y in (-0.75, -0.25, 0.25, 0.75)]
    torch.testing.assert_close(found, torch.tensor([expected, expected]))


def looked_at(x: torch.Tensor, centre: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """By torch's own sampling, which has no deterministic gradient on a GPU."""
    theta = torch.zeros(len(x), 2, 3, dtype=x.dtype)
    theta[:, 0, 0], theta[:, 1, 1], theta[:, :, 2] = 1.0, 0.25, centre
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    whole = F.grid_sample(x, grid, align_corners=False)
    return F.interpolate(whole, size, mode="bilinear", align_corners=True)


def test_a_region_is_sampled_and_then_resized() -> None:
    x = torch.randn(2, 3, 20, 8, dtype=torch.float64)
    centre = torch.tensor([[0.2, -0.6], [0.0, 0.3]], dtype=torch.float64)
    found = _region(x, centre, stretched(20, 12), stretched(8, 14))
    torch.testing.assert_close(found, looked_at(x, centre, (12, 14)))


def centres(x: torch.Tensor, hard: nn.Module) -> torch.Tensor:
    """t_x and t_y of all regions in turn."""
    assert isinstance(hard, Hard)
    return (x.mean((2, 3)) @ hard.weight.T + hard.bias).tanh()


def test_the_local_branch_level_by_level() -> None:
    model = hacnn(local=(10, 14)).double().eval()
    for hard in model.hard:
        nn.init.normal_(hard.weight, std=0.3, generator=torch.Generator().manual_seed(3))  # type: ignore[arg-type]
    with torch.no_grad():
        x = images("hacnn").double()
        stem, plain, attended = model.backbone.maps(x)
        regions = []
        for region in range(4):
            at = [
                centres(found, hard)[:, 2 * region : 2 * region + 2]
                for found, hard in zip(plain, model.hard, strict=True)
            ]
            first = model.local[0](looked_at(stem, at[0], (10, 14)))
            second = model.local[1](looked_at(attended[0], at[1], (5, 7)) + first)
            third = model.local[2](looked_at(attended[1], at[2], (3, 4)) + second)
            regions.append(third.mean((2, 3)))
        expected = model.parts(torch.cat(regions, dim=1))
        torch.testing.assert_close(model.vectors(x)[1], expected)
        torch.testing.assert_close(model.vectors(x)[0], model.whole(attended[2].mean((2, 3))))


def test_the_soft_attention_is_a_product_of_its_parts() -> None:
    soft = hacnn().backbone.soft[1].double().eval()
    assert isinstance(soft, Soft)
    x = torch.randn(2, 64, 6, 4, dtype=torch.float64)
    with torch.no_grad():
        small = soft.spatial(x.mean(1, keepdim=True))
        spatial = soft.enlarged(F.interpolate(small, (6, 4), mode="bilinear", align_corners=True))
        channel = soft.channel(x.mean((2, 3), keepdim=True))
        torch.testing.assert_close(soft(x), soft.both(spatial * channel).sigmoid())


def test_masks_are_above_a_half() -> None:
    model = hacnn().train()
    _, plain, attended = model.backbone.maps(images("hacnn"))
    for soft, before, after in zip(model.backbone.soft, plain, attended, strict=True):
        mask = soft(before)
        assert mask.shape == before.shape
        assert mask.min() >= 0.5
        assert mask.max() < 1
        assert ((after / before)[before > 1e-3] >= 0.49).all()


def test_the_regions_share_their_weights() -> None:
    """Permuted regions permute the blocks of what the local vector is made from."""
    model = hacnn().eval()
    order, seen = [2, 0, 3, 1], []
    model.parts.register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        model.embed(images("hacnn"))
        for hard in model.hard:
            hard.register_forward_hook(lambda _m, _i, out: out[:, order])
        model.embed(images("hacnn"))
    before, after = (found.view(8, 4, -1) for found in seen)
    torch.testing.assert_close(after, before[:, order])


def test_both_branches_are_searched_with_and_classified() -> None:
    model = hacnn().eval()
    with torch.no_grad():
        found = model.embed(images("hacnn")).view(8, 2, -1)
        out = model(images("hacnn"))
    torch.testing.assert_close(found.norm(dim=2), torch.ones(8, 2))
    terms = model.losses(out, labels())
    assert terms.keys() == {"global", "local"}
    expected = F.cross_entropy(out["local"], labels(), label_smoothing=0.1)
    torch.testing.assert_close(terms["local"], expected)
    torch.testing.assert_close(out["scores"], out["global"] + out["local"])


@pytest.mark.parametrize("multiplier", [0.1, 0.2, 0.3])
def test_a_network_that_cannot_be_cut_into_streams_is_refused(multiplier: float) -> None:
    with pytest.raises(UserError, match="as narrow as that"):
        Network(3, multiplier=multiplier)


def test_the_recipe() -> None:
    found = of_paper()
    (phase,) = found.phases
    assert (found.image_size, found.batches.size) == ((160, 64), 32)
    assert (found.augment["pad"], found.augment["erase"]) == (10, 0.0)
    assert (phase.optimiser, phase.lr, phase.weight_decay) == ("sgd", 0.03, 5e-4)
    assert (phase.epochs, phase.milestones) == (300, (150, 225))

"""PCB+RPP: soft masks in place of stripes, learned in a finished PCB."""

import pytest
import torch
from torch import nn

from reidpipe.errors import UserError
from reidpipe.layers.stripes import stripes
from reidpipe.systems.rpp import GROUP, Grouped, Network
from reidpipe.systems.rpp import recipe as of_paper
from reidpipe.training.phases import ready
from tests.systems.small import images, network, recipe


def rpp(**changes: object) -> Network:
    model = network("rpp", **changes)
    assert isinstance(model, Network)
    return model


def masked(model: Network, scores: torch.Tensor) -> torch.Tensor:
    """The parts with these scores of the masks, [B, p, H, W]."""
    model.masks.register_forward_hook(lambda *_: scores)
    with torch.no_grad():
        return model.pooled(images("rpp"))


def test_masks_of_one_stripe_each_are_pcb() -> None:
    model = rpp().eval()
    rows = torch.arange(6)
    scores = torch.where(rows[:, None] == rows, 0.0, -torch.inf)[None, :, :, None].expand(
        8, 6, 6, 2
    )
    with torch.no_grad():
        expected = stripes(model.backbone(images("rpp")), 6)
    torch.testing.assert_close(masked(model, scores), expected)


def test_equal_masks_are_the_average_of_the_map() -> None:
    model = rpp().eval()
    with torch.no_grad():
        mean = model.backbone(images("rpp")).mean((2, 3))
    torch.testing.assert_close(
        masked(model, torch.zeros(8, 6, 6, 2)), mean[..., None].expand(-1, -1, 6)
    )


@pytest.mark.parametrize("descriptor", ["g", "h"])
def test_permuted_masks_permute_the_parts_of_the_descriptor(descriptor: str) -> None:
    model, order = rpp(descriptor=descriptor).eval(), [0, 4, 2, 3, 1, 5]
    with torch.no_grad():
        before = model.embed(images("rpp")).reshape(8, 6, -1)
        model.masks.register_forward_hook(lambda _m, _i, out: out[:, order])
        after = model.embed(images("rpp")).reshape(8, 6, -1)
    torch.testing.assert_close(after, before[:, order])
    if descriptor == "g":
        torch.testing.assert_close(before.norm(dim=2), torch.ones(8, 6))
    assert model.width == before[0].numel()


def test_masks_do_not_see_what_a_channel_has_everywhere() -> None:
    x = torch.randn(2, 16, 6, 2, dtype=torch.float64)
    shift = torch.randn(1, 16, 1, 1, dtype=torch.float64)
    grouped = Grouped()
    torch.testing.assert_close(grouped(x + shift), grouped(x))
    expected = x[:, GROUP : 2 * GROUP].mean(1)
    torch.testing.assert_close(grouped(x)[:, 1], expected - expected.mean((1, 2), keepdim=True))


def test_it_goes_on_where_pcb_ended() -> None:
    model, before = rpp(), network("pcb")
    for weight in before.parameters():
        nn.init.normal_(weight, generator=torch.Generator().manual_seed(5))
    masks = {name: tensor.clone() for name, tensor in model.masks.state_dict().items()}
    model.start_from(before.state_dict())
    state = model.state_dict()
    for name, tensor in before.state_dict().items():
        assert torch.equal(state[name], tensor), name
    for name, tensor in masks.items():
        assert torch.equal(model.masks.state_dict()[name], tensor)


@pytest.mark.parametrize("wrong", [{"reduced": 8}, {"parts": 3}])
def test_another_network_than_the_finished_one_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UserError, match="the first weights do not fit"):
        rpp(**wrong).start_from(network("pcb").state_dict())


def test_a_trunk_alone_is_refused() -> None:
    with pytest.raises(UserError, match=r"missing: reduction\.0\.weight"):
        rpp().start_from(network("pcb").backbone.state_dict())


def test_at_first_the_masks_alone_learn() -> None:
    model = rpp()
    optimiser = ready(
        model, recipe("rpp").phases[0], {name for name, _ in model.named_parameters()}
    )
    learning = {id(weight) for group in optimiser.param_groups for weight in group["params"]}
    found = {name for name, weight in model.named_parameters() if id(weight) in learning}
    assert found == {"masks.2.weight", "masks.2.bias"}
    parts = (model.backbone, model.reduction, model.heads, model.dropout)
    assert not any(part.training for part in parts)
    assert model.masks.training


def test_the_recipes() -> None:
    masks, whole = of_paper().phases
    assert (masks.name, masks.epochs, masks.lr, masks.milestones) == ("masks", 5, 0.01, ())
    assert (whole.epochs, whole.lr, whole.milestones, whole.optimiser) == (
        20,
        0.01,
        (10,),
        "nesterov",
    )
    assert [(group.prefix, group.lr) for group in whole.groups] == [("backbone.", 0.1)]
    (released,) = of_paper(released=True).phases
    assert (released.epochs, released.lr, released.milestones, released.groups) == (
        30,
        0.01,
        (20,),
        (),
    )

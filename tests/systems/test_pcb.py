"""PCB: stripes, one reduction for all of them, a loss that is a sum, two descriptors."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from reidpipe.errors import UserError
from reidpipe.layers.stripes import stripes
from reidpipe.systems.pcb import Network
from reidpipe.systems.pcb import recipe as of_paper
from tests.systems.small import images, labels, network


def pcb(**changes: object) -> Network:
    model = network("pcb", **changes)
    assert isinstance(model, Network)
    return model


def test_stripes_are_means_of_equal_rows() -> None:
    feature_map = torch.randn(2, 3, 12, 5, dtype=torch.float64)
    found = stripes(feature_map, 4)
    for part in range(4):
        rows = feature_map[:, :, 3 * part : 3 * part + 3]
        torch.testing.assert_close(found[:, :, part], rows.flatten(2).mean(2))
    torch.testing.assert_close(stripes(feature_map, 1)[..., 0], feature_map.mean((2, 3)))
    assert stripes(feature_map.bfloat16(), 4).dtype == torch.float32


def test_rows_that_do_not_divide_are_named() -> None:
    with pytest.raises(UserError, match="cannot be cut into equal stripes") as caught:
        stripes(torch.zeros(1, 1, 16, 8), 6)
    assert "16 rows" in str(caught.value)


def test_the_descriptor_is_each_stripe_with_a_norm_of_one() -> None:
    model = pcb().eval()
    with torch.no_grad():
        found = model.embed(images("pcb"))
        feature_map = model.backbone(images("pcb"))
    torch.testing.assert_close(found.norm(dim=1), torch.full((8,), 6**0.5))
    parts = found.reshape(8, 6, -1)
    torch.testing.assert_close(parts[:, 2], F.normalize(feature_map[:, :, 2].mean(2), dim=1))


def test_the_short_descriptor_is_what_the_classifiers_see() -> None:
    model = pcb(descriptor="h", dropout=0.0).eval()
    with torch.no_grad():
        h = model.embed(images("pcb")).reshape(8, 6, -1)
        out = model(images("pcb"))
        expected = torch.stack([head(h[:, i]) for i, head in enumerate(model.heads)], 1)
    torch.testing.assert_close(out["logits"], expected)
    assert model.width == 6 * 16
    assert (h >= 0).all()


def test_swapped_stripes_swap_their_part_of_the_descriptor() -> None:
    model = pcb(descriptor="h").eval()
    order = [0, 4, 2, 3, 1, 5]
    with torch.no_grad():
        before = model.embed(images("pcb")).reshape(8, 6, -1)
        model.backbone.register_forward_hook(lambda _m, _i, out: out[:, :, order])
        after = model.embed(images("pcb")).reshape(8, 6, -1)
    torch.testing.assert_close(after, before[:, order])


def test_the_loss_is_the_sum_over_stripes() -> None:
    model = pcb(dropout=0.0)
    out = model(images("pcb"))
    expected = sum(F.cross_entropy(out["logits"][:, i], labels()) for i in range(6))
    found = model.losses(out, labels())
    assert found.keys() == {"ce"}
    torch.testing.assert_close(found["ce"], expected)
    torch.testing.assert_close(out["scores"], out["logits"].mean(1))


def test_dropout_stands_before_the_reduction() -> None:
    """Of g, not of h: no stripe of h is cut to zeros and doubled."""
    model = pcb(dropout=0.5).train()
    seen = []
    model.reduction.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][..., 0]))
    model.dropout.key = ("any",)
    model.dropout.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model(images("pcb"))
    before, after = seen
    there = before > 0
    dropped = there & (after == 0)
    assert 0.45 < dropped.sum() / there.sum() < 0.55
    torch.testing.assert_close(after[there & ~dropped], 2 * before[there & ~dropped])


def test_the_recipe_is_that_of_the_authors_script() -> None:
    found = of_paper()
    (phase,) = found.phases
    assert found.image_size == (384, 128)
    assert found.batches.size == 64
    assert found.augment["flip"] == 0.5
    assert (found.augment["pad"], found.augment["erase"]) == (0, 0.0)
    assert (phase.optimiser, phase.lr, phase.weight_decay) == ("nesterov", 0.1, 5e-4)
    assert (phase.epochs, phase.milestones, phase.gamma) == (60, (40,), 0.1)
    assert [(group.prefix, group.lr) for group in phase.groups] == [("backbone.", 0.1)]

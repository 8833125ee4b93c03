"""AlignedReID: one mining for two distances, and two networks that learn from each other."""

import pytest
import torch

from reidpipe.losses.aligned import local_distance
from reidpipe.systems.alignedreid import Network, distances, mutual
from reidpipe.systems.alignedreid import recipe as of_paper
from reidpipe.training.schedule import learning_rate
from tests.systems.small import images, labels, network


def aligned(**changes: object) -> Network:
    model = network("alignedreid", **changes)
    assert isinstance(model, Network)
    return model


def test_the_local_feature_is_the_rows_from_the_top() -> None:
    model = aligned().eval()
    with torch.no_grad():
        out, found = model(images("alignedreid")), model.backbone(images("alignedreid"))
        expected = model.local(found[:, :, 1:2].mean(3, keepdim=True)).flatten(1)
    assert out["local"].shape == (8, 4, 16)
    torch.testing.assert_close(out["local"][:, 1], expected)
    torch.testing.assert_close(out["global"], found.mean((2, 3)))
    assert torch.equal(model.embed(images("alignedreid")), out["global"])


def test_pairs_are_mined_by_the_global_distance_alone() -> None:
    random = torch.Generator().manual_seed(0)
    out = {
        "global": torch.randn(8, 6, generator=random, dtype=torch.float64),
        "local": torch.randn(8, 4, 3, generator=random, dtype=torch.float64),
    }
    far, near, far_local, near_local = [], [], [], []
    distance = torch.cdist(out["global"], out["global"])
    for a in range(8):
        p = max((i for i in range(8) if i != a and i % 4 == a % 4), key=lambda i: distance[a, i])
        n = min((i for i in range(8) if i % 4 != a % 4), key=lambda i: distance[a, i])
        far.append(distance[a, p])
        near.append(distance[a, n])
        pair = [local_distance(out["local"][a : a + 1], out["local"][i : i + 1])[0] for i in (p, n)]
        far_local.append(pair[0])
        near_local.append(pair[1])
    found = aligned().losses(out, labels())
    hinge = [(0.3 + f - n).clamp(min=0) for f, n in zip(far, near, strict=True)]
    local = [(0.3 + f - n).clamp(min=0) for f, n in zip(far_local, near_local, strict=True)]
    torch.testing.assert_close(found["global"], torch.stack(hinge).mean())
    torch.testing.assert_close(found["local"], torch.stack(local).mean())


def test_networks_that_agree_teach_each_other_nothing() -> None:
    feature = torch.randn(5, 4, dtype=torch.float64)
    assert mutual(feature, feature.clone()).item() == 0
    turned = feature @ torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64))[0]
    assert mutual(feature, turned).item() == pytest.approx(0, abs=1e-20)


def test_each_network_is_drawn_to_the_other_held_fixed() -> None:
    one = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    other = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    found = mutual(one, other)
    expected = ((distances(one) - distances(other)) ** 2).mean()
    torch.testing.assert_close(found, 2 * expected)
    torch.autograd.backward(found)
    alone = torch.autograd.grad(((distances(one) - distances(other).detach()) ** 2).mean(), one)[0]
    torch.testing.assert_close(one.grad, alone)
    alone = torch.autograd.grad(((distances(one).detach() - distances(other)) ** 2).mean(), other)[
        0
    ]
    torch.testing.assert_close(other.grad, alone)


def test_a_second_network_learns_beside_and_is_not_searched_with() -> None:
    model, alone = aligned(mutual=True), aligned()
    out = model(images("alignedreid"))
    terms = model.losses(out, labels())
    assert terms.keys() == {"global", "local", "mutual"}
    assert not torch.allclose(out["local"], out["peer_local"])
    each = [
        alone.losses({"global": out[f"{peer}global"], "local": out[f"{peer}local"]}, labels())
        for peer in ("", "peer_")
    ]
    for name in ("global", "local"):
        torch.testing.assert_close(terms[name], each[0][name] + each[1][name])
    torch.testing.assert_close(terms["mutual"], mutual(out["global"], out["peer_global"]))
    assert terms["mutual"] > 0
    torch.autograd.backward(torch.stack(list(terms.values())).sum())
    assert all(weight.grad is not None for weight in model.parameters())
    kept = {name: t for name, t in model.state_dict().items() if not name.startswith("peer.")}
    alone.load_state_dict(kept)
    with torch.no_grad():
        expected = alone.eval().embed(images("alignedreid"))
        assert torch.equal(model.eval().embed(images("alignedreid")), expected)


def test_both_start_from_one_trunk() -> None:
    model, trunk = aligned(mutual=True), aligned().backbone
    model.start_from(trunk.state_dict())
    for name, tensor in trunk.state_dict().items():
        assert torch.equal(model.backbone.state_dict()[name], tensor)
        assert torch.equal(model.peer["trunk"].state_dict()[name], tensor)


def test_the_recipe_is_that_of_the_reproduction() -> None:
    found = of_paper()
    (phase,) = found.phases
    assert (found.image_size, found.batches.size) == ((256, 128), 128)
    assert (found.augment["pad"], found.augment["erase"]) == (0, 0.0)
    assert (phase.optimiser, phase.lr, phase.weight_decay) == ("adam", 2e-4, 5e-4)
    rates = [learning_rate(phase, epoch, 0, 1) for epoch in (0, 34, 35, 70)]
    assert rates == pytest.approx([2e-4, 2e-4, 2e-4, 2e-7])

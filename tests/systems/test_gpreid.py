"""GP-reid: unit vectors of the largest values, triplets in turns, norms that stand still."""

import math

import torch
from torch.nn import functional as F  # noqa: N812
from torch.nn.modules.batchnorm import _BatchNorm

from reidpipe.systems.gpreid import RANKING, Network, ranked
from reidpipe.systems.gpreid import recipe as of_paper
from reidpipe.training.phases import ready
from tests.systems.small import images, labels, network, recipe


def gpreid() -> Network:
    model = network("gpreid")
    assert isinstance(model, Network)
    return model


def test_vectors_have_a_norm_of_one_and_are_of_the_largest_values() -> None:
    model = gpreid().eval()
    with torch.no_grad():
        found = model.embed(images("gpreid"))
        pooled = model.backbone(images("gpreid")).flatten(2).max(2).values
        expected = F.normalize(pooled @ model.projection.weight.T + model.projection.bias)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(len(found)))


def test_the_pooling_does_not_see_where_a_thing_is() -> None:
    model = gpreid().eval()
    x = torch.zeros(2, model.backbone.channels, 6, 3)
    x[:, :, 1, 1] = torch.rand(2, model.backbone.channels)
    moved = x.roll((2, 1), (2, 3))
    seen = iter((x, moved))
    model.backbone.register_forward_hook(lambda *_: next(seen))
    found = [model.embed(images("gpreid")) for _ in range(2)]
    assert torch.equal(*found)


def test_the_loss_by_loops() -> None:
    feature = F.normalize(torch.randn(12, 5, dtype=torch.float64))
    total = 0.0
    for query, positive, negative in feature.view(4, 3, 5).tolist():
        near = math.dist(query, positive) ** 2
        far = math.dist(query, negative) ** 2
        total += 0.5 * max(0.0, 0.1 + near - far)
    torch.testing.assert_close(ranked(feature, 0.1).item(), total / 4)


def test_a_triplet_in_order_by_more_than_the_margin_costs_nothing() -> None:
    query = torch.tensor([1.0, 0.0])
    at = [torch.tensor([math.cos(angle), math.sin(angle)]) for angle in (0.1, 1.0)]
    assert ranked(torch.stack([query, *at]), 0.1).item() == 0
    assert ranked(torch.stack([query, *reversed(at)]), 0.1).item() > 0


def test_each_phase_has_its_own_loss() -> None:
    model = gpreid()
    out = model(images("gpreid", 6))
    terms = model.losses(out, labels(6))
    torch.testing.assert_close(terms["ce"], F.cross_entropy(out["scores"], labels(6)))
    assert terms["triplet"] == 0
    model.begin(RANKING)
    terms = model.losses(out, labels(6))
    assert terms["ce"] == 0
    torch.testing.assert_close(terms["triplet"], ranked(out["feature"], 0.1))


def test_ranking_leaves_the_norms_statistics_and_the_classifier_alone() -> None:
    model = gpreid()
    learnable = {name for name, _ in model.named_parameters()}
    classification, ranking = recipe("gpreid").phases
    model.begin(classification.name)
    ready(model, classification, learnable)
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    assert all(module.training for module in norms)
    # As a run that goes on: the phase is in the state, and nobody calls `begin` again.
    model.begin(ranking.name)
    again = gpreid()
    again.load_state_dict(model.state_dict())
    ready(again, ranking, learnable)
    assert again.training
    norms = [module for module in again.modules() if isinstance(module, _BatchNorm)]
    assert not any(module.training for module in norms)
    assert all(module.weight.requires_grad for module in norms)
    assert not again.head.weight.requires_grad


def test_the_recipe() -> None:
    found = of_paper()
    classification, ranking = found.phases
    assert (found.image_size, found.batches.size) == ((416, 208), 64)
    assert (found.augment["flip"], found.augment["pad"]) == (0.0, 0)
    assert found.augment["growing"] == found.epochs == 316
    assert of_paper(augment={"growing": 7}).augment["growing"] == 7
    assert classification.pool is None
    assert ranking.pool is not None
    pool = ranking.pool
    assert (pool.images, pool.triplets, pool.updates, pool.hardest) == (5000, 64, 16, 25)
    assert ranking.epochs * pool.updates == 4096
    assert (ranking.lr, ranking.gamma, ranking.weight_decay) == (1e-3, 0.5, 5e-5)
    assert [epoch * pool.updates for epoch in ranking.milestones] == list(range(512, 4096, 512))
    assert of_paper(halving=0).phases[1].milestones == ()

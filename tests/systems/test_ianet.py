"""IANet: where its blocks stand, a triplet loss of cosines behind the norm."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from reidpipe.attention.ianet import Attention
from reidpipe.layers.resnet import Backbone
from reidpipe.systems.ianet import Network, cosine_triplet
from reidpipe.systems.ianet import recipe as of_paper
from tests.systems.small import images, labels, network


def test_blocks_end_the_second_and_the_third_stage() -> None:
    model = Network(3, backbone="resnet50")
    found = {name for name, part in model.named_modules() if isinstance(part, Attention)}
    assert found == {"backbone.layer2.3.after", "backbone.layer3.5.after"}


def test_at_the_start_the_network_is_the_plain_one() -> None:
    model = network("ianet")
    assert isinstance(model, Network)
    plain = Backbone("resnet10_x0_5")
    plain.load_state_dict(model.backbone.state_dict(), strict=False)
    for mode in (True, False):
        with torch.no_grad():
            expected = plain.train(mode)(images("ianet"))
            assert torch.equal(model.backbone.train(mode)(images("ianet")), expected)


def test_the_triplet_loss_is_a_hinge_on_cosines() -> None:
    random = torch.Generator().manual_seed(0)
    feature = torch.randn(8, 5, dtype=torch.float64, generator=random)
    cosine = F.normalize(feature) @ F.normalize(feature).T
    total = 0.0
    for a in range(8):
        p = min(float(cosine[a, i]) for i in range(8) if i != a and i % 4 == a % 4)
        n = max(float(cosine[a, i]) for i in range(8) if i % 4 != a % 4)
        total += max(0.0, 0.3 - p + n)
    assert cosine_triplet(feature, labels(), 0.3).item() == pytest.approx(total / 8)


def test_loss_and_search_see_the_feature_behind_the_norm() -> None:
    model = network("ianet").eval()
    assert isinstance(model, Network)
    with torch.no_grad():
        model.neck.bias.fill_(0.25)
        out = model(images("ianet"))
        mean = model.backbone(images("ianet")).mean((2, 3))
        torch.testing.assert_close(out["feature"], mean / (1 + 1e-5) ** 0.5 + 0.25)
        assert torch.equal(out["feature"], model.embed(images("ianet")))
    terms = model.losses(out, labels())
    torch.testing.assert_close(terms["triplet"], cosine_triplet(out["feature"], labels(), 0.3))
    expected = F.cross_entropy(out["scores"], labels(), label_smoothing=0.1)
    torch.testing.assert_close(terms["ce"], expected)


def test_the_form_of_the_relation_reaches_the_blocks() -> None:
    model = network("ianet", relation="softmax")
    found = {part.spatial.relation for part in model.modules() if isinstance(part, Attention)}
    assert found == {"softmax"}


def test_the_recipe_is_that_of_the_authors_code() -> None:
    found = of_paper()
    (phase,) = found.phases
    assert (found.image_size, found.batches.size) == ((256, 128), 64)
    assert (found.augment["pad"], found.augment["erase"]) == (0, 0.5)
    assert (phase.optimiser, phase.lr, phase.weight_decay) == ("adam", 3.5e-4, 5e-4)
    assert (phase.epochs, phase.milestones, phase.warmup_epochs) == (60, (20, 40), 0)

"""DPFL: two scales of one image, three classifiers, and a consensus."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from reidpipe.errors import UserError
from reidpipe.losses.consensus import consensus
from reidpipe.systems.dpfl import Network
from tests.systems.small import images, labels, network


def dpfl(**changes: object) -> Network:
    model = network("dpfl", **changes)
    assert isinstance(model, Network)
    return model


def test_the_second_network_sees_the_image_smaller() -> None:
    model = dpfl().eval()
    seen = []
    model.smaller.register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        model(images("dpfl"))
    expected = F.interpolate(images("dpfl"), (48, 24), mode="bilinear", antialias=True)
    torch.testing.assert_close(seen[0], expected, rtol=1e-4, atol=1e-5)


def test_scores_and_descriptor_are_of_both_features() -> None:
    model = dpfl().eval()
    with torch.no_grad():
        large, small = model.features(images("dpfl"))
        out = model(images("dpfl"))
        both = torch.cat([large, small], dim=1)
        torch.testing.assert_close(out["scores"], model.fusion(both))
        torch.testing.assert_close(out["small"], model.heads[1](small))
        torch.testing.assert_close(model.embed(images("dpfl")), both)


def test_the_terms_of_the_loss() -> None:
    random = torch.Generator().manual_seed(0)
    out = {name: torch.randn(8, 4, generator=random) for name in ("large", "small", "scores")}
    found = dpfl(weight=0.5).losses(out, labels())
    assert found.keys() == {"ce_large", "ce_small", "ce_scores", "consensus"}
    torch.testing.assert_close(found["ce_small"], F.cross_entropy(out["small"], labels()))
    apart = consensus(out["large"], out["scores"]) + consensus(out["small"], out["scores"])
    torch.testing.assert_close(found["consensus"], apart / 2)
    swapped = dpfl(weight=0.5).losses(
        {"large": out["small"], "small": out["large"], "scores": out["scores"]}, labels()
    )
    torch.testing.assert_close(swapped["ce_large"], found["ce_small"])
    torch.testing.assert_close(swapped["consensus"], found["consensus"])


def test_the_consensus_does_not_teach_the_fusion() -> None:
    model = dpfl()
    torch.autograd.backward(model.losses(model(images("dpfl")), labels())["consensus"])
    assert all(weight.grad is None for weight in model.fusion.parameters())
    assert all(weight.grad is not None for weight in model.heads.parameters())


def test_both_start_from_one_trunk() -> None:
    model, trunk = dpfl(), dpfl().backbone
    model.start_from(trunk.state_dict())
    for name, tensor in trunk.state_dict().items():
        assert torch.equal(model.smaller.state_dict()[name], tensor)
    with pytest.raises(UserError, match="the first weights do not fit"):
        model.start_from({"conv1.weight": torch.zeros(1)})

"""Initial weights come from the generator alone, and each kind has its rule."""

import math

import pytest
import torch
from torch import nn

from reidpipe.layers.initial import initialise
from reidpipe.runtime.settings import attentions
from reidpipe.systems.ours import Classifier, Network


def network(
    attention: str, classifier: Classifier = "circle", backbone: str = "resnet18"
) -> Network:
    return Network(40, attention=attention, classifier=classifier, triplet=False, backbone=backbone)


@pytest.mark.parametrize("attention", attentions())
def test_everything_is_set_and_the_generator_alone_decides(attention: str) -> None:
    models = [network(attention), network(attention)]
    for model, ruin in zip(models, (math.nan, 7.0), strict=True):
        for tensor in model.state_dict().values():
            tensor.fill_(ruin if tensor.is_floating_point() else 9)
        torch.rand(int(ruin == ruin))  # noqa: PLR0124  # another state of the global stream
        initialise(model, torch.Generator().manual_seed(3))
    first, second = (model.state_dict() for model in models)
    assert all(tensor.isfinite().all() for tensor in first.values())
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_another_seed_gives_other_weights() -> None:
    models = [network("cbam"), network("cbam")]
    for seed, model in enumerate(models):
        initialise(model, torch.Generator().manual_seed(seed))
    weights = [model.state_dict()["backbone.layer4.1.conv2.weight"] for model in models]
    assert not torch.equal(*weights)


def test_the_global_stream_is_left_alone() -> None:
    model = network("nonlocal")
    state = torch.get_rng_state()
    initialise(model, torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), state)


def test_rules() -> None:
    model = network("cbam", classifier="linear")
    initialise(model, torch.Generator().manual_seed(0))
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 10_000:
            fan_out = module.out_channels * math.prod(module.kernel_size)
            expected = math.sqrt(2 / fan_out)
            assert module.weight.std().item() == pytest.approx(expected, rel=0.05), name
        if isinstance(module, nn.Linear):
            bound = 1 / math.sqrt(module.in_features)
            assert module.weight.abs().max().item() == pytest.approx(bound, rel=0.05), name
            assert module.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1), name
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            gamma = 0 if name.endswith("spatial.bn") else 1
            assert (module.weight == gamma).all(), name
            assert not module.bias.any(), name
    weight = model.head.get_parameter("weight")
    assert weight.std().item() == pytest.approx(0.001, rel=0.05)


def test_rows_of_the_cosine_heads_have_one_length_for_any_width() -> None:
    for backbone in ("resnet18", "resnet50"):
        head = network("none", "circle", backbone).head
        initialise(head, torch.Generator().manual_seed(0))
        lengths = head.get_parameter("weight").norm(dim=1)
        assert lengths.mean().item() == pytest.approx(1 / math.sqrt(3), rel=0.05)


def test_parameters_without_a_rule_are_refused() -> None:
    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

    with pytest.raises(TypeError, match=r"after.0 \(Scale\) needs a method start"):
        initialise(nn.ModuleDict({"after": nn.Sequential(Scale())}), torch.Generator())

"""IDE: the plainest ResNet, with torchreid's hidden layer or none, and torchreid's recipe."""

from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812

from reidpipe.systems.ide import Network, recipe
from reidpipe.training.phases import ready
from tests.systems.small import images, network


def test_the_descriptor_is_the_mean_of_the_last_map() -> None:
    model: Any = network("ide", hidden=0).eval()
    found = model.embed(images("ide"))
    torch.testing.assert_close(found, model.backbone(images("ide")).mean((2, 3)))
    torch.testing.assert_close(
        model(images("ide"))["scores"], found @ model.head.weight.T + model.head.bias
    )


def test_a_hidden_layer_is_linear_norm_and_relu() -> None:
    model: Any = network("ide", hidden=7).eval()
    linear, norm, _ = model.hidden
    norm.running_mean.fill_(0.1)
    mean = model.backbone(images("ide")).mean((2, 3))
    behind = mean @ linear.weight.T + linear.bias
    scale = (norm.running_var + norm.eps).sqrt()
    expected = ((behind - norm.running_mean) / scale * norm.weight + norm.bias).relu()
    torch.testing.assert_close(model.embed(images("ide")), expected)
    assert model.width == 7


def test_the_loss_is_a_smoothed_cross_entropy() -> None:
    model = Network(5, backbone="resnet10_x0_5", label_smoothing=0.2)
    scores, labels = torch.randn(4, 5), torch.tensor([0, 1, 2, 3])
    wanted = 0.8 * F.one_hot(labels, 5) + 0.2 / 5
    expected = -(wanted * scores.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(model.losses({"scores": scores}, labels)["ce"], expected)


def test_the_classifier_learns_alone_at_first() -> None:
    model = Network(5, backbone="resnet10_x0_5", hidden=7)
    first, second = recipe().phases
    everything = {name for name, _ in model.named_parameters()}
    for phase, learning in ((first, {"head.weight", "head.bias"}), (second, everything)):
        ready(model, phase, everything)
        assert {name for name, w in model.named_parameters() if w.requires_grad} == learning


def test_the_recipe_is_torchreids() -> None:
    first, second = recipe().phases
    assert (first.epochs, second.epochs, second.milestones) == (5, 60, (20,))
    for phase in (first, second):
        assert (phase.optimiser, phase.lr, phase.weight_decay) == ("amsgrad", 3e-4, 5e-4)
    assert [phase.epochs for phase in recipe(head_epochs=0).phases] == [60]

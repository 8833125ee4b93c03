"""The whole network: what it returns, what it keeps, what it says about itself."""

import json

import pytest
import torch
from torch import Tensor, nn

from reidpipe.errors import UserError
from reidpipe.layers.initial import initialise
from reidpipe.losses.circle import circle_logits
from reidpipe.systems.ours import Classifier, Network

LABELS = torch.tensor([0, 0, 1, 2])


def network(attention: str = "none", classifier: Classifier = "linear") -> Network:
    model = Network(
        3,
        attention=attention,
        classifier=classifier,
        triplet=False,
        backbone="resnet18",
        circle={"scale": 32, "margin": 0.2},
    )
    initialise(model, torch.Generator().manual_seed(0))
    return model


def images(batch: int = 4, height: int = 64, width: int = 32) -> Tensor:
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("classifier", ["linear", "circle", "unified"])
def test_output(classifier: Classifier) -> None:
    model = network(classifier=classifier)
    out = model(images())
    assert {name: part.shape for name, part in out.items()} == {
        "feature": (4, model.width),
        "scores": (4, 3),
    }
    expected = model.backbone(images()).flatten(2).mean(2)
    torch.testing.assert_close(out["feature"], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("classifier", ["linear", "circle", "unified"])
def test_the_classifier_sees_the_embedding_behind_the_neck(classifier: Classifier) -> None:
    model = network(classifier=classifier)
    out = model(images())
    assert torch.equal(out["scores"], model.head(model.neck(out["feature"])))
    assert not torch.allclose(model.head(out["feature"]), out["scores"])


@pytest.mark.parametrize("classifier", ["circle", "unified"])
def test_scores_are_cosines_without_margins(classifier: Classifier) -> None:
    model = network(classifier=classifier)
    out = model(images())
    weights = nn.functional.normalize(model.head.get_parameter("weight"))
    expected = nn.functional.normalize(model.neck(out["feature"])) @ weights.T
    torch.testing.assert_close(out["scores"], expected)


def test_neck_normalises_over_the_batch_without_shift() -> None:
    model = network()
    embedding = model.neck(model(images())["feature"])
    torch.testing.assert_close(embedding.mean(0), torch.zeros(512), rtol=0, atol=1e-5)
    assert not model.neck.bias.requires_grad
    assert model.neck.weight.requires_grad


def test_embed_is_the_neck_of_the_feature_in_eval() -> None:
    model = network("cbam").eval()
    with torch.no_grad():
        model.neck.running_mean.fill_(0.5)  # type: ignore[union-attr]
        model.neck.weight.fill_(2.0)
        expected = 2 * (model.feature(images()) - 0.5) / (1 + model.neck.eps) ** 0.5
        embedding = model.embed(images())
    torch.testing.assert_close(embedding, expected)


def test_odd_sizes_and_single_images() -> None:
    assert network("nonlocal").eval().embed(images(1, 67, 33)).shape == (1, 512)


@pytest.mark.parametrize("attention", ["nonlocal", "danet"])
def test_starts_as_the_plain_network(attention: str) -> None:
    plain, ours = network(), network(attention)
    ours.load_state_dict(plain.state_dict(), strict=False)
    assert torch.equal(ours.eval().embed(images()), plain.eval().embed(images()))


@pytest.mark.parametrize("attention", ["se", "eca", "cbam"])
def test_gates_change_the_plain_network(attention: str) -> None:
    plain, ours = network(), network(attention)
    ours.load_state_dict(plain.state_dict(), strict=False)
    assert not torch.allclose(ours.eval().embed(images()), plain.eval().embed(images()))


@pytest.mark.parametrize("classifier", ["linear", "circle"])
def test_bfloat16_keeps_features_and_cosines_in_float32(classifier: Classifier) -> None:
    model = network("cbam", classifier)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(images().contiguous(memory_format=torch.channels_last))
        embedding = model.neck(out["feature"])
        (loss,) = model.losses(out, LABELS).values()
    assert out["feature"].dtype == embedding.dtype == loss.dtype == torch.float32
    assert out["scores"].dtype == (torch.float32 if classifier == "circle" else torch.bfloat16)


def test_cosines_and_margins_are_not_rounded_under_autocast() -> None:
    model = network(classifier="circle")
    embedding = torch.randn(4, 512, generator=torch.Generator().manual_seed(2))
    exact = model.head(embedding)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores = model.head(embedding)
        logits = circle_logits(scores, LABELS, **model.circle)
    assert torch.equal(scores, exact)
    assert torch.equal(logits, circle_logits(exact, LABELS, **model.circle))


def test_about_builds_the_network_again() -> None:
    model = network("cbam", "circle")
    about = json.loads(json.dumps({**model.about(), "image_size": [64, 32], "run": "ours"}))
    again = Network.from_about(about)
    assert again.about() == model.about()
    again.load_state_dict(model.state_dict())
    found, expected = (each.losses(each(images()), LABELS)["ce"] for each in (again, model))
    assert torch.equal(found, expected)


def test_about_of_something_else_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        Network.from_about({"backbone": "resnet18", "attention": "se"})
    missing = "attention_options, classifier, circle, num_classes"
    assert caught.value.details["found"] == f"nothing about {missing}"


def test_deterministic_kernels_are_enough() -> None:
    """The whole step, twice, under the switch that refuses what is not deterministic."""
    gradients = []
    torch.use_deterministic_algorithms(True)  # noqa: FBT003
    try:
        for _ in range(2):
            model = network("cbam", "circle")
            loss = model.losses(model(images()), LABELS)["ce"]
            gradients.append(torch.autograd.grad(loss, [model.backbone.conv1.weight])[0])
    finally:
        torch.use_deterministic_algorithms(False)  # noqa: FBT003
    assert torch.equal(*gradients)

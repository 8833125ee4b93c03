"""Every attention x classifier x triplet x backbone learns, is saved, and comes back the same."""

from pathlib import Path

import pytest
import torch

from reidpipe.formats import weights as checkpoint
from reidpipe.layers.initial import initialise
from reidpipe.runtime.settings import attentions
from reidpipe.systems.ours import Classifier, Network

LABELS = torch.tensor([0, 0, 1, 1])


@pytest.mark.parametrize("triplet", [False, True])
@pytest.mark.parametrize("classifier", ["linear", "circle", "unified"])
@pytest.mark.parametrize("attention", attentions())
@pytest.mark.parametrize("backbone", ["resnet18", pytest.param("resnet50", marks=pytest.mark.slow)])
def test_two_steps(
    backbone: str, attention: str, classifier: Classifier, *, triplet: bool, tmp_path: Path
) -> None:
    model = new(backbone, attention, classifier, triplet=triplet)
    train(model)
    path = tmp_path / "model.safetensors"
    checkpoint.save(path, model.state_dict(), model.about())
    tensors, about = checkpoint.load(path)
    again = Network.from_about(about)
    again.load_state_dict(tensors)
    images = torch.randn(2, 3, 32, 16, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        embedding = model.eval().embed(images)
        assert embedding.isfinite().all()
        assert torch.equal(again.eval().embed(images), embedding)


def new(backbone: str, attention: str, classifier: Classifier, *, triplet: bool) -> Network:
    model = Network(
        3, attention=attention, classifier=classifier, triplet=triplet, backbone=backbone
    )
    initialise(model, torch.Generator().manual_seed(0))
    return model


def train(model: Network) -> None:
    weights = {key: value for key, value in model.named_parameters() if value.requires_grad}
    optimiser = torch.optim.Adam(weights.values(), lr=3.5e-4, fused=True)
    random = torch.Generator().manual_seed(1)
    before = {key: value.detach().clone() for key, value in weights.items()}
    for _ in range(2):
        out = model(torch.randn(len(LABELS), 3, 32, 16, generator=random))
        terms = model.losses(out, LABELS)
        assert set(terms) == {"ce"} | ({"triplet"} if model.triplet else set())
        loss = torch.stack(list(terms.values())).sum()
        assert loss.isfinite()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    still = [key for key, value in weights.items() if torch.equal(value, before[key])]
    assert still == [], "weights that no gradient reaches"

"""Parameters and operations against figures that can be had by hand or from torchvision."""

import pytest
import torch
from torchvision import models

from reidpipe.reporting.reading.inputs import Inputs
from reidpipe.reporting.science.costs import Cost, costs
from reidpipe.reporting.science.costs import cost as cost_of


def cost(backbone: str, attention: str, image_size: tuple[int, int]) -> Cost:
    network = {"attention": attention, "classifier": "linear", "triplet": False}
    return cost_of("ours", {**network, "backbone": backbone}, image_size, 751)


def test_resnet50_is_torchvisions_with_a_neck() -> None:
    with torch.device("meta"):
        plain = sum(weights.numel() for weights in models.resnet50(num_classes=1).parameters())
    linear, neck = 2048 + 1, 2 * 2048
    assert cost("resnet50", "none", (256, 128)).parameters == plain - linear + neck


def test_published_operations_of_resnet50() -> None:
    """4.09 G multiply-adds at 224 x 224 with the last stride 2.

    All of layer4 but its first convolution, 0.81 - 0.10 of them, is done on four times the area.
    """
    flops = cost("resnet50", "none", (224, 224)).multiply_adds / 1e9
    assert flops == pytest.approx(4.09 + 3 * (0.81 - 0.10), rel=0.005)


def test_operations_grow_with_the_area() -> None:
    small = cost("resnet18", "none", (64, 32)).multiply_adds
    assert cost("resnet18", "none", (128, 64)).multiply_adds == 4 * small


@pytest.mark.parametrize(
    ("attention", "extra"),
    [
        ("none", 0),
        # A block of C channels: 2 C C/16 + C + C/16; two blocks each of 64, 128, 256 and 512.
        ("se", 2 * sum(2 * c * c // 16 for c in (64, 128, 256, 512))),
        ("eca", 2 * (3 + 5 + 5 + 5)),
        # The shared map without biases, 7 x 7 over two planes, gamma and beta.
        ("cbam", 2 * sum(2 * c * c // 16 + 98 + 2 for c in (64, 128, 256, 512))),
        # theta, phi, g to C/2 and back, with biases, gamma and beta.
        ("nonlocal", 2 * sum(4 * c * c // 2 + 3 * c // 2 + c + 2 * c for c in (128, 256))),
        ("danet", 2 * (512 * 64 + 64) + 512 * 512 + 512 + 2),
    ],
)
def test_parameters_that_attention_adds(attention: str, extra: int) -> None:
    plain = cost("resnet18", "none", (64, 32))
    with_attention = cost("resnet18", attention, (64, 32))
    assert with_attention.parameters - plain.parameters == extra
    assert (with_attention.multiply_adds > plain.multiply_adds) == (attention != "none")


@pytest.mark.slow
def test_the_table_has_the_profiles_network_and_the_papers(inputs: Inputs) -> None:
    found = costs(inputs.runs)
    run = inputs.runs["market1501-eca"]
    assert found.profile["market1501-eca"] == cost(run.network["backbone"], "eca", run.image_size)
    assert found.paper["market1501-eca"] == cost("resnet50", "eca", (256, 128))
    assert found.profile["market1501-tri"] == found.profile["market1501-baseline"]
    assert found.profile.keys() == found.paper.keys() == inputs.runs.keys()
    assert found.paper["market1501-eca"].classifier_parameters == 751 * 2048

"""Attention sits where the paper and its set-up put it, and nowhere else."""

import pytest

from reidpipe.errors import UserError
from reidpipe.layers.placement import place
from reidpipe.layers.resnet import Backbone

LAYERS = {
    "resnet10_x0_5": [1, 1, 1, 1],
    "resnet18": [2, 2, 2, 2],
    "resnet34": [3, 4, 6, 3],
    "resnet50": [3, 4, 6, 3],
    "resnet101": [3, 4, 23, 3],
}
NONLOCAL = {
    "resnet10_x0_5": {"2.0", "3.0"},
    "resnet18": {"2.0", "2.1", "3.0", "3.1"},
    "resnet34": {"2.2", "2.3", "3.3", "3.4", "3.5"},
    "resnet50": {"2.2", "2.3", "3.3", "3.4", "3.5"},
    "resnet101": {"2.2", "2.3", "3.20", "3.21", "3.22"},
}


def places(backbone: str, attention: str, slot: str) -> set[str]:
    """Blocks, as "stage.block", whose `slot` holds the module of `attention`."""
    network = Backbone(backbone)
    place(network, attention, {})
    origin = f"reidpipe.attention.{attention}"
    return {
        f"{stage}.{index}"
        for stage, blocks in enumerate(network.stages(), start=1)
        for index, block in enumerate(blocks)
        if type(getattr(block, slot)).__module__ == origin
    }


@pytest.mark.parametrize("backbone", LAYERS)
@pytest.mark.parametrize("attention", ["se", "eca", "cbam"])
def test_in_every_residual_branch(backbone: str, attention: str) -> None:
    depths = enumerate(LAYERS[backbone], start=1)
    expected = {f"{stage}.{index}" for stage, depth in depths for index in range(depth)}
    assert places(backbone, attention, "attention") == expected
    assert places(backbone, attention, "after") == set()


@pytest.mark.parametrize("backbone", LAYERS)
def test_nonlocal_behind_late_blocks_of_layers_2_and_3(backbone: str) -> None:
    assert places(backbone, "nonlocal", "after") == NONLOCAL[backbone]
    assert places(backbone, "nonlocal", "attention") == set()


@pytest.mark.parametrize("backbone", LAYERS)
def test_dual_attention_on_the_last_feature_map(backbone: str) -> None:
    assert places(backbone, "danet", "after") == {f"4.{LAYERS[backbone][3] - 1}"}
    assert places(backbone, "danet", "attention") == set()


def test_unknown_options_are_named() -> None:
    with pytest.raises(UserError) as caught:
        place(Backbone("resnet18"), "eca", {"gama": 2})
    assert caught.value.details["expected"] == "gamma, b"
    assert caught.value.details["found"] == "gama"

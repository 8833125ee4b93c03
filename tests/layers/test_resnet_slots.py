"""The two slots of a block are before the addition and behind the last ReLU."""

import pytest
import torch
from torch import Tensor, nn

from reidpipe.layers.resnet import Backbone, width


class Times(nn.Module):
    """Multiplies by a constant and remembers what it saw."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        self.seen = x.detach()
        return self.factor * x


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
@pytest.mark.parametrize("index", [0, 1])  # with and without a down-sampled shortcut
def test_slots(name: str, index: int) -> None:
    block = Backbone(name).stages()[1][index].eval()
    channels = block.conv1.in_channels
    x = torch.randn(2, channels, 8, 4, generator=torch.Generator().manual_seed(0))
    block.attention, block.after = Times(0), Times(3)
    shortcut = x if block.downsample is None else block.downsample(x)
    torch.testing.assert_close(block(x), 3 * shortcut.relu())
    assert block.attention.seen.shape[1] == width(block)
    assert block.attention.seen.min() < 0, "the slot is before the ReLU"
    assert torch.equal(block.after.seen, shortcut.relu())

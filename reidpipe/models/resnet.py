"""torchvision's ResNet up to its last feature map, with two slots a block for attention.

Deep Residual Learning, He et al., https://arxiv.org/abs/1512.03385. State-dict keys and values of
the plain part are torchvision's; the slots add `attention.*` and `after.*` below a block.

One deviation, common in re-identification since PCB (https://arxiv.org/abs/1711.09349): the last
down-sampling is left out, without the dilation that torchvision would put in its place.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

SLOTS = ("attention", "after")


class BasicWithSlots(BasicBlock):  # type: ignore[misc]  # torchvision has no types
    """torchvision's block of ResNet-10, -18 and -34."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.attention: nn.Module = nn.Identity()
        self.after: nn.Module = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        residual = self.relu(self.bn1(self.conv1(x)))
        residual = self.attention(self.bn2(self.conv2(residual)))
        shortcut = x if self.downsample is None else self.downsample(x)
        out: Tensor = self.after(self.relu(residual + shortcut))
        return out


class BottleneckWithSlots(Bottleneck):  # type: ignore[misc]  # torchvision has no types
    """torchvision's block of ResNet-50 and -101."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.attention: nn.Module = nn.Identity()
        self.after: nn.Module = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        residual = self.relu(self.bn1(self.conv1(x)))
        residual = self.relu(self.bn2(self.conv2(residual)))
        residual = self.attention(self.bn3(self.conv3(residual)))
        shortcut = x if self.downsample is None else self.downsample(x)
        out: Tensor = self.after(self.relu(residual + shortcut))
        return out


Block = BasicWithSlots | BottleneckWithSlots

SHAPES: dict[str, tuple[type[Block], list[int]]] = {
    # torchvision has none. Half the work of 18, and sooner trained: for the embedded profile.
    "resnet10": (BasicWithSlots, [1, 1, 1, 1]),
    "resnet18": (BasicWithSlots, [2, 2, 2, 2]),
    "resnet34": (BasicWithSlots, [3, 4, 6, 3]),
    "resnet50": (BottleneckWithSlots, [3, 4, 6, 3]),
    "resnet101": (BottleneckWithSlots, [3, 4, 23, 3]),
}


class Backbone(ResNet):  # type: ignore[misc]  # torchvision has no types
    """Images [B, 3, H, W] -> feature map [B, D, H/16, W/16], D is 512, or 2048 from 50 on."""

    def __init__(self, name: str) -> None:
        block, depths = SHAPES[name]
        super().__init__(block, depths)
        del self.avgpool, self.fc
        self.channels: int = 512 * block.expansion
        keep_resolution(self.layer4[0])

    def forward(self, images: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        out: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return out

    def stages(self) -> list[list[Block]]:
        """Blocks of layer1 to layer4."""
        return [list(stage) for stage in (self.layer1, self.layer2, self.layer3, self.layer4)]

    def blocks(self) -> Iterator[Block]:
        """All blocks in the order of the forward pass."""
        return chain.from_iterable(self.stages())


def width(block: Block) -> int:
    """Channels C of the block's output."""
    last: nn.BatchNorm2d = block.bn2 if isinstance(block, BasicBlock) else block.bn3
    return last.num_features


def keep_resolution(block: Block) -> None:
    strided = block.conv1 if isinstance(block, BasicBlock) else block.conv2
    for conv in (strided, block.downsample[0]):
        conv.stride = (1, 1)
    block.stride = 1

"""ResNet of torchvision's blocks up to the last feature map, two slots per block for attention.

Deep Residual Learning, He et al., https://arxiv.org/abs/1512.03385. State-dict keys and values of
the plain part are torchvision's; the slots add `attention.*` and `after.*` below a block.

One deviation, common in re-identification since PCB (https://arxiv.org/abs/1711.09349): the last
down-sampling is left out, without the dilation that torchvision would put in its place.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any, cast

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, conv1x1

SLOTS = ("attention", "after")


class Slots:
    """What a block of torchvision lacks: places for attention, empty at first."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.attention: nn.Module = nn.Identity()
        self.after: nn.Module = nn.Identity()


class BasicWithSlots(Slots, BasicBlock):  # type: ignore[misc]  # torchvision has no types
    """torchvision's block of ResNet-18 and -34."""

    def forward(self, x: Tensor) -> Tensor:
        residual = self.relu(self.bn1(self.conv1(x)))
        residual = self.attention(self.bn2(self.conv2(residual)))
        shortcut = x if self.downsample is None else self.downsample(x)
        out: Tensor = self.after(self.relu(residual + shortcut))
        return out


class BottleneckWithSlots(Slots, Bottleneck):  # type: ignore[misc]  # torchvision has no types
    """torchvision's block of ResNet-50 and -101."""

    def forward(self, x: Tensor) -> Tensor:
        residual = self.relu(self.bn1(self.conv1(x)))
        residual = self.relu(self.bn2(self.conv2(residual)))
        residual = self.attention(self.bn3(self.conv3(residual)))
        shortcut = x if self.downsample is None else self.downsample(x)
        out: Tensor = self.after(self.relu(residual + shortcut))
        return out


Block = BasicWithSlots | BottleneckWithSlots

# Depths of the four stages, and channels of the first (its planes, in torchvision's words).
SHAPES: dict[str, tuple[type[Block], list[int], int]] = {
    # A block per stage at half the width: for the embedded profile, torchvision has none.
    "resnet10_x0_5": (BasicWithSlots, [1, 1, 1, 1], 32),
    "resnet18": (BasicWithSlots, [2, 2, 2, 2], 64),
    "resnet34": (BasicWithSlots, [3, 4, 6, 3], 64),
    "resnet50": (BottleneckWithSlots, [3, 4, 6, 3], 64),
    "resnet101": (BottleneckWithSlots, [3, 4, 23, 3], 64),
    # With FastReID's stem (JDAI-CV/fast-reid), whose pooling has no padding and rounds up.
    "resnet18_ceil": (BasicWithSlots, [2, 2, 2, 2], 64),
    "resnet34_ceil": (BasicWithSlots, [3, 4, 6, 3], 64),
    "resnet50_ceil": (BottleneckWithSlots, [3, 4, 6, 3], 64),
    "resnet101_ceil": (BottleneckWithSlots, [3, 4, 23, 3], 64),
}
CEIL = "_ceil"


class Backbone(nn.Module):
    """Images [B, 3, H, W] -> feature map [B, D, H/16, W/16]; D is `channels`.

    With a `last_stride` of 2, as torchvision has it, the map is [B, D, H/32, W/32]. The names are
    keys of `SHAPES`; one that ends in `_ceil` has FastReID's stem.
    """

    def __init__(self, name: str, last_stride: int = 1) -> None:
        super().__init__()
        self.name = name
        block, depths, planes = SHAPES[name]
        self.conv1 = nn.Conv2d(3, planes, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        ceil = name.endswith(CEIL)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=0 if ceil else 1, ceil_mode=ceil)
        out = planes * block.expansion
        self.layer1 = stage(block, planes, planes, depths[0], stride=1)
        self.layer2 = stage(block, out, 2 * planes, depths[1], stride=2)
        self.layer3 = stage(block, 2 * out, 4 * planes, depths[2], stride=2)
        self.layer4 = stage(block, 4 * out, 8 * planes, depths[3], stride=last_stride)
        self.channels: int = 8 * out

    def forward(self, images: Tensor) -> Tensor:
        return self.maps(images)[-1]

    def maps(self, images: Tensor) -> list[Tensor]:
        """The last maps of layer1 to layer4, at H/4, H/8, H/16 and the forward's."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        found = []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            found.append(x)
        return found

    def stages(self) -> list[list[Block]]:
        """Blocks of layer1 to layer4."""
        layers = (self.layer1, self.layer2, self.layer3, self.layer4)
        return [cast("list[Block]", list(layer)) for layer in layers]

    def blocks(self) -> Iterator[Block]:
        """All blocks in the order of the forward pass."""
        return chain.from_iterable(self.stages())


def width(block: Block) -> int:
    """Channels C of the block's output."""
    last: nn.BatchNorm2d = block.bn2 if isinstance(block, BasicBlock) else block.bn3
    return last.num_features


def stage(block: type[Block], channels: int, planes: int, depth: int, stride: int) -> nn.Sequential:
    """Blocks of one resolution; the first one changes it, on its shortcut too."""
    out = planes * block.expansion
    shortcut = None
    if stride != 1 or channels != out:
        shortcut = nn.Sequential(conv1x1(channels, out, stride), nn.BatchNorm2d(out))
    first = block(channels, planes, stride, shortcut)
    return nn.Sequential(first, *(block(out, planes) for _ in range(depth - 1)))

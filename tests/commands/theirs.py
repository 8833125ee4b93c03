"""Networks as other people's code names their parts, written down from its public text.

Layouts alone: which module is called what, and what its forward does. They are what `adopt` is
compared with, and share no line with our networks but torchvision's and timm's ResNets.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torchvision.models import resnet


def settled(network: nn.Module, seed: int = 0) -> nn.Module:
    """Every tensor at random, the statistics of the norms too, in evaluation mode."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if name.startswith("pixel_"):
                continue
            if name.endswith("running_var"):
                value.uniform_(0.5, 2, generator=random)
            elif value.is_floating_point():
                scale = 0.5 if value.ndim < 2 else (2 / value[0].numel()) ** 0.5
                value.normal_(0.0, scale, generator=random)
    return network.eval()


class TheirResNet(resnet.ResNet):  # type: ignore[misc]  # torchvision has no types
    """torchvision's, with the last stride and the stem's pooling of ReID's code bases."""

    def __init__(self, last_stride: int, *, ceil: bool = False) -> None:
        super().__init__(resnet.BasicBlock, [2, 2, 2, 2])
        if last_stride == 1:
            self.layer4[0].conv1.stride = (1, 1)
            self.layer4[0].downsample[0].stride = (1, 1)
        if ceil:
            self.maxpool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        del self.fc

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        out: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return out


class Bot(nn.Module):
    """reid-strong-baseline's Baseline."""

    def __init__(self, people: int) -> None:
        super().__init__()
        self.base = TheirResNet(1)
        self.bottleneck = nn.BatchNorm1d(512)
        self.classifier = nn.Linear(512, people, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.bottleneck(self.base(x).mean((2, 3)))
        return out


class FastReid(nn.Module):
    """FastReID's Baseline with its EmbeddingHead; pixels are of 0 to 255."""

    def __init__(self, people: int, *, ceil: bool = True, old: bool = False) -> None:
        super().__init__()
        mean, std = ([value * 255 for value in v] for v in (MEAN, STD))
        self.register_buffer("pixel_mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("pixel_std", torch.tensor(std).view(1, 3, 1, 1))
        self.backbone = TheirResNet(1, ceil=ceil)
        self.heads = nn.Module()
        self.old = old
        if old:
            self.heads.bnneck = nn.BatchNorm2d(512)
            self.heads.classifier = nn.Linear(512, people, bias=False)
        else:
            self.heads.bottleneck = nn.Sequential(nn.BatchNorm2d(512))
            self.heads.weight = nn.Parameter(torch.zeros(people, 512))

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.adaptive_avg_pool2d(self.backbone(x), 1)
        out: Tensor = self.heads.get_submodule("bnneck" if self.old else "bottleneck")(pooled)
        return out[..., 0, 0]


class TorchreidResNet(TheirResNet):
    """torchreid's ResNet, with or without a hidden layer."""

    def __init__(self, people: int, hidden: int = 0) -> None:
        super().__init__(1 if hidden else 2)
        self.fc = None
        if hidden:
            layers = nn.Linear(512, hidden), nn.BatchNorm1d(hidden), nn.ReLU()
            self.fc = nn.Sequential(*layers)
        self.classifier = nn.Linear(hidden or 512, people)

    def forward(self, x: Tensor) -> Tensor:
        pooled = super().forward(x).mean((2, 3))
        return pooled if self.fc is None else self.fc(pooled)


def _named(**parts: nn.Module) -> nn.Sequential:
    out = nn.Sequential()
    for name, part in parts.items():
        out.add_module(name, part)
    return out


def _conv(channels: int, out: int, kernel: int = 1, *, relu: bool = True) -> nn.Sequential:
    conv = nn.Conv2d(channels, out, kernel, 2 if kernel == 7 else 1, kernel // 2, bias=False)
    last = {"relu": nn.ReLU()} if relu else {}
    return _named(conv=conv, bn=nn.BatchNorm2d(out), **last)


def _light(channels: int) -> nn.Sequential:
    deep = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
    flat = nn.Conv2d(channels, channels, 1, bias=False)
    return _named(conv1=flat, conv2=deep, bn=nn.BatchNorm2d(channels), relu=nn.ReLU())


class TorchreidBlock(nn.Module):
    """torchreid's OSBlock; `ibn` adds what its `osnet_ibn` has."""

    def __init__(self, channels: int, out: int, *, ibn: bool = False) -> None:
        super().__init__()
        width = out // 4
        self.conv1 = _conv(channels, width)
        self.conv2a = _light(width)
        for number, letter in enumerate("bcd", start=2):
            layers = nn.Sequential(*(_light(width) for _ in range(number)))
            self.add_module(f"conv2{letter}", layers)
        fc1, fc2 = nn.Conv2d(width, width // 16, 1), nn.Conv2d(width // 16, width, 1)
        self.gate = _named(fc1=fc1, relu=nn.ReLU(), fc2=fc2, sigmoid=nn.Sigmoid())
        self.conv3 = _conv(width, out, relu=False)
        if channels != out:
            self.downsample = _conv(channels, out, relu=False)
        self.IN = nn.InstanceNorm2d(out, affine=True) if ibn else None

    def forward(self, x: Tensor) -> Tensor:
        first = self.conv1(x)
        streams = [getattr(self, f"conv2{letter}")(first) for letter in "abcd"]
        mixed = [each * self.gate(each.mean((2, 3), keepdim=True)) for each in streams]
        shortcut = self.downsample(x) if hasattr(self, "downsample") else x
        found = self.conv3(mixed[0] + mixed[1] + mixed[2] + mixed[3]) + shortcut
        return F.relu(found if self.IN is None else self.IN(found))


class TorchreidOsnet(nn.Module):
    """torchreid's OSNet."""

    def __init__(self, people: int, multiplier: float = 1.0, *, ibn: bool = False) -> None:
        super().__init__()
        a, b, c, d = (int(width * multiplier) for width in (64, 256, 384, 512))
        self.conv1 = _conv(3, a, 7)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        for name, first, out in (("conv2", a, b), ("conv3", b, c)):
            half = nn.Sequential(_conv(out, out), nn.AvgPool2d(2, stride=2))
            blocks = TorchreidBlock(first, out, ibn=ibn), TorchreidBlock(out, out)
            self.add_module(name, nn.Sequential(*blocks, half))
        self.conv4 = nn.Sequential(TorchreidBlock(c, d), TorchreidBlock(d, d))
        self.conv5 = _conv(d, d)
        self.fc = nn.Sequential(nn.Linear(d, 512), nn.BatchNorm1d(512), nn.ReLU())
        self.classifier = nn.Linear(512, people)

    def forward(self, x: Tensor) -> Tensor:
        for name in ("conv1", "maxpool", "conv2", "conv3", "conv4", "conv5"):
            x = self.get_submodule(name)(x)
        out: Tensor = self.fc(x.mean((2, 3)))
        return out


MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

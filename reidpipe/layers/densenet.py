"""DenseNet-201 as a trunk, torchvision's: Huang et al., CVPR 2017, 1608.06993."""

from torch import Tensor, nn
from torchvision.models import densenet201

CHANNELS = (256, 512, 1792, 1920)
"""Of the map at the end of each dense block."""


class DenseNet(nn.Module):
    """Images [B, 3, H, W] -> the map [B, 1920, H/32, W/32]; its keys are torchvision's."""

    name = "densenet201"
    channels = CHANNELS[-1]

    def __init__(self) -> None:
        super().__init__()
        self.features = densenet201(weights=None).features

    def forward(self, images: Tensor) -> Tensor:
        return self.maps(images)[-1]

    def maps(self, images: Tensor) -> list[Tensor]:
        """At the ends of the four dense blocks, of which the last has its batch norm and ReLU."""
        x, found = images, []
        for name, part in self.features.named_children():
            x = part(x)
            if name.startswith("denseblock"):
                found.append(x)
        found[-1] = x.relu()  # behind norm5, which follows the last block
        return found

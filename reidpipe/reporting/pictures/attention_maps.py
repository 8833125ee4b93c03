"""What a network looks at: CBAM's own spatial gates, and Grad-CAM (1610.02391) by plain hooks.

Grad-CAM explains one number. A network for retrieval has no class score for a test identity, so
the direction of a true match's embedding stands in for the class weights: the number is the probe's
embedding projected on it. (The cosine will not do: its gradient is at right angles to the probe's
own embedding, so what both images share cancels, and maps are often empty.)
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from reidpipe.attention.cbam import SpatialGate
from reidpipe.images.images import Images
from reidpipe.images.transforms import normalise
from reidpipe.systems import System

Map = NDArray[np.float32]
"""h x w in 0..1."""


@dataclass(frozen=True)
class Looks:
    """Maps of one probe, each of the size at which the network made it."""

    grad_cam: Map
    gates: dict[str, Map]
    """Spatial gate of the last block of each stage of CBAM networks, by the stage's name."""


def looks(model: System, images: Tensor) -> Looks:
    """Maps for `images` uint8 [2, 3, H, W]: a probe and one of its true matches."""
    batch = normalise(images)
    with torch.no_grad(), _outputs(_gates(model)) as gates:
        target = F.normalize(model.embed(batch), dim=1)[1]
    with torch.enable_grad(), _outputs({"map": model.last_map()}) as kept:
        (gradient,) = torch.autograd.grad(model.embed(batch[:1])[0] @ target, kept["map"])
    return Looks(
        grad_cam=grad_cam(kept["map"].detach()[0], gradient[0]),
        gates={name: _scaled(gate[0, 0]) for name, gate in gates.items()},
    )


def grad_cam(feature_map: Tensor, gradient: Tensor) -> Map:
    """Equations 1 and 2 of 1610.02391: C x h x w and its gradient -> h x w in 0..1."""
    weight = gradient.mean((1, 2), keepdim=True)
    return _scaled((weight * feature_map).sum(0).relu())


def _gates(model: System) -> dict[str, nn.Module]:
    """The last spatial gate of each stage of a ResNet; none where the attention is not CBAM."""
    found: dict[str, nn.Module] = {}
    for name, part in model.backbone.named_modules():
        if isinstance(part, SpatialGate):
            found[name.partition(".")[0]] = part
    return found


@contextmanager
def _outputs(modules: dict[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """What each module returns while the block runs."""
    kept: dict[str, Tensor] = {}

    def keep(name: str) -> torch.utils.hooks.RemovableHandle:
        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            kept[name] = output

        return modules[name].register_forward_hook(hook)

    handles = [keep(name) for name in modules]
    try:
        yield kept
    finally:
        for handle in handles:
            handle.remove()


def _scaled(values: Tensor) -> Map:
    """To 0..1; a map without contrast is all 0."""
    low, high = values.min(), values.max()
    spread = (high - low).clamp(min=1e-12)
    out: Map = ((values - low) / spread).numpy()
    return out


def pair(zipped: Path, members: tuple[str, str], size: tuple[int, int]) -> Tensor:
    """Probe and match as the network takes them: uint8 [2, 3, H, W]."""
    return Images(zipped, members, size, cache_mb=0).take([0, 1])


def overlaid(picture: Image.Image, values: Map, palette: NDArray[np.uint8]) -> Image.Image:
    """The map (smoothly enlarged, `palette` of 256 RGB colours) over the picture in grey."""
    grey = np.asarray(picture.convert("L"), dtype=np.float32)[..., None]
    field = Image.fromarray((255 * values).astype(np.uint8)).resize(
        picture.size, Image.Resampling.BICUBIC
    )
    heat = palette[np.asarray(field)].astype(np.float32)
    return Image.fromarray((0.45 * grey + 0.55 * heat).astype(np.uint8))

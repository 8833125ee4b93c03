"""What the pose stage does: AACN's pose branch, trained on synthetic people whose joints are known.

The targets are maps of an eighth of the image's size, with values in 0..1:

    joints       exp(-d^2 / 2 s^2), d the distance of a cell's centre from the joint
    rigid parts  1 within the upright rectangle around the part's joints, widened by a margin
    limbs        1 within a strip along the limb

Distances are in heights of the image; s and the margins are those of a person who fills it, or of
the cells where these are larger. What is not seen, or of which a joint is not seen, is 0
everywhere. The loss is the mean squared error of all maps,
summed over the stages.
"""

import io
from collections.abc import Callable, Mapping
from functools import partial
from math import cos, pi
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.optim import Adam

from reidpipe.errors import UserError
from reidpipe.formats import weights
from reidpipe.formats.pose import JOINTS, LIMBS, RIGID
from reidpipe.formats.settings.data import SyntheticSource
from reidpipe.images.transforms import normalise
from reidpipe.layers.initial import initialise, torch_stream
from reidpipe.layers.trunks import trunk_of
from reidpipe.runtime.machine import autocast, on_device, prepare
from reidpipe.runtime.progress import progress
from reidpipe.runtime.settings import (
    BatchSize,
    Cameras,
    Cluster,
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    People,
    PositiveFloat,
    PositiveInt,
)
from reidpipe.runtime.streams import stream
from reidpipe.synthetic.generation import posed_people
from reidpipe.systems.aacn import POSE, Pose
from reidpipe.training.finite import finite

SPREAD = 0.03
"""s."""
MARGIN, STRIP = 0.03, 0.04
"""Of rigid parts beyond their joints; half the width of a limb."""
LEAST = 0.75
"""Of all three, in cells: less would fall between their centres."""
CELL = 8
"""Pixels of an image along a side of a map's cell."""
Shape = Callable[[Tensor, Tensor], Tensor]
"""Which cells [H, W, 2] lie around places [B, n, 2]: [B, H, W]."""
_SIDES = ("right", "left")
_MIRRORED = [
    next(
        (JOINTS.index(name.replace(*way)) for way in (_SIDES, _SIDES[::-1]) if way[0] in name),
        number,
    )
    for number, name in enumerate(JOINTS)
]
"""Which joint each becomes in a mirror."""


def pose(entry: Mapping[str, Any], start: Path, out: Path) -> None:
    """Write the trunk of `start` and the pose branch that `entry` of the plan asks for."""
    machine = Cluster.model_validate(entry["machine"])
    prepare(machine.device, machine.threads, machine.instructions)
    trunk = trunk_of(weights.load(start)[0])
    network = learnt(
        trunk, entry["network"], tuple(entry["image_size"]), machine=machine, **entry["training"]
    )
    own = {POSE + name: tensor for name, tensor in network.state_dict().items()}
    about = {"backbone": entry["network"]["backbone"], "source": "synthetic"}
    weights.save(out, {**trunk, **own}, about)


def learnt(
    trunk: Mapping[str, Tensor],
    network: Mapping[str, Any],
    image_size: tuple[int, int],
    *,
    machine: Cluster,
    identities: People = 500,
    cameras: Cameras = 8,
    height: PositiveInt = 256,
    seed: NonNegativeInt = 5,
    epochs: PositiveInt = 40,
    batch_size: BatchSize = 64,
    lr: PositiveFloat = 1e-3,
    weight_decay: NonNegativeFloat = 0.0,
    flip: Fraction = 0.5,
) -> Pose:
    """Train a pose branch; equal arguments give equal bytes. A kill costs all of it: minutes.

    Args:
        trunk: tensors whose early layers it starts from; without any at random.
        network: `backbone` and `pose_width` of AACN.
        image_size: height, width in pixels, of AACN.
        machine: where; one device.
        identities: people, whom no data set has as long as no seed is shared.
        cameras: that see them.
        height: pixels of their photographs.
        seed: of all random numbers.
        epochs: over all photographs.
        batch_size: images of a batch.
        lr: of Adam; it falls to nothing by a cosine.
        weight_decay: added to the gradients.
        flip: share of the images that are mirrored.

    Raises:
        UserError: there are too few photographs for a batch.
    """
    device = prepare(machine.device, machine.threads, machine.instructions)
    source = SyntheticSource(
        layout="market1501",
        cameras=cameras,
        train_ids=identities,
        test_ids=1,
        height=height,
        seed=seed,
    )
    pictures, joints = seen(source, image_size)
    model = Pose(network["backbone"], network["pose_width"])
    initialise(model, torch_stream(seed, "pose"))
    if trunk:
        model.start_from(trunk)
    on_device(model, device).train()
    optimiser = Adam(model.parameters(), lr, weight_decay=weight_decay, fused=True)
    steps = len(pictures) // batch_size
    if steps == 0:
        raise UserError(
            "too few photographs for a batch",
            where="params.yaml: pose",
            expected=f"at least {batch_size}, the batch_size",
            found=f"{len(pictures)} of {identities} people",
            fix="more identities",
        )
    size = image_size[0] // CELL, image_size[1] // CELL
    with progress("pose", epochs * steps) as show:
        for epoch in range(epochs):
            order = stream(seed, "pose", "order", epoch).permutation(len(pictures))
            mirrored = stream(seed, "pose", "flip", epoch).random(len(pictures)) < flip
            for step in range(steps):
                done = epoch * steps + step
                rows = order[step * batch_size : (step + 1) * batch_size]
                images, places = mirror(pictures[rows], joints[rows], mirrored[rows])
                pixels = normalise(images.to(device)).contiguous(memory_format=torch.channels_last)
                with autocast(device, machine.precision):
                    found = model(pixels)
                loss = error(found, maps(places, size).to(device))
                value = finite(loss, f"the pose branch, epoch {epoch + 1}, step {step + 1}")
                optimiser.param_groups[0]["lr"] = lr * (1 + cos(pi * done / (epochs * steps))) / 2
                optimiser.zero_grad()
                torch.autograd.backward(loss)
                optimiser.step()
                show(done + 1, values={"epoch": epoch + 1, "loss": value})
    return model


def seen(source: SyntheticSource, image_size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Photographs uint8 [N, 3, H, W] and their joints float32 [N, 14, 3]."""
    jpegs, joints = posed_people(source)
    height, width = image_size
    pixels = np.stack(
        [
            np.asarray(
                Image.open(io.BytesIO(jpeg)).resize((width, height), Image.Resampling.BICUBIC)
            )
            for jpeg in jpegs
        ]
    )
    images = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
    return images, torch.from_numpy(joints.astype(np.float32))


def mirror(images: Tensor, joints: Tensor, mirrored: np.ndarray) -> tuple[Tensor, Tensor]:
    """Mirror some images [B, 3, H, W]; right joints [B, 14, 3] become left ones."""
    which = torch.from_numpy(mirrored)
    other = joints[:, _MIRRORED].clone()
    other[..., 0] = 1 - other[..., 0]
    return (
        torch.where(which[:, None, None, None], images.flip(3), images),
        torch.where(which[:, None, None], other, joints),
    )


def error(found: list[Tensor], targets: Tensor) -> Tensor:
    """Mean squared error of maps [B, 25, H, W], summed over the stages."""
    return torch.stack([((maps.float() - targets) ** 2).mean() for maps in found]).sum()


def maps(joints: Tensor, size: tuple[int, int]) -> Tensor:
    """Targets [B, 25, H, W] of joints [B, 14, 3]: x and y as shares of the image, visible."""
    height, width = size
    shape = torch.tensor([width / height, 1.0])
    y = (torch.arange(height) + 0.5) / height
    x = (torch.arange(width) + 0.5) / width * shape[0]
    cells = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)  # [H, W, 2], in heights
    places, visible = joints[..., :2] * shape, joints[..., 2] > 0
    squared = ((cells - places[:, :, None, None]) ** 2).sum(-1)  # [B, 14, H, W]
    spread, margin, strip = (max(least, LEAST / height) for least in (SPREAD, MARGIN, STRIP))
    found = [torch.exp(-squared / (2 * spread**2)) * visible[..., None, None]]
    shapes = (RIGID, partial(_rectangle, margin)), (LIMBS, partial(_strip, strip))
    for parts, around in shapes:
        inside = [_where(names, places, visible, cells, around) for names in parts.values()]
        found.append(torch.stack(inside, dim=1))
    return torch.cat(found, dim=1)


def _where(
    names: tuple[str, ...], places: Tensor, visible: Tensor, cells: Tensor, shape: Shape
) -> Tensor:
    """[B, H, W]: 1 in the shape of the joints `names`, if all of them are visible."""
    rows = [JOINTS.index(name) for name in names]
    inside = shape(places[:, rows], cells)
    return (inside & visible[:, rows].all(1)[:, None, None]).float()


def _rectangle(margin: float, places: Tensor, cells: Tensor) -> Tensor:
    """Cells [H, W, 2] within the rectangle around places [B, n, 2]."""
    low = places.amin(1)[:, None, None] - margin
    high = places.amax(1)[:, None, None] + margin
    return ((cells >= low) & (cells <= high)).all(-1)


def _strip(half: float, places: Tensor, cells: Tensor) -> Tensor:
    """Cells [H, W, 2] near the line between two places [B, 2, 2]."""
    start, end = places[:, :1, None], places[:, 1:, None]
    along = end - start
    length = (along**2).sum(-1).clamp_min(1e-6)
    share = (((cells - start) * along).sum(-1) / length).clamp(0, 1)
    nearest = start + share[..., None] * along
    near: Tensor = ((cells - nearest) ** 2).sum(-1) <= half**2
    return near

"""How well AACN's pose branch finds joints and parts of synthetic people that it has not seen.

    python -m benchmarks.pose [SEED]      people of this seed; 6 where none is given

It needs `dvc repro pose`. Prints a JSON line: of the joints in the picture the share whose map has
its largest value within one cell of the joint, and within a tenth of the image's height; by part
the mean over the photographs that show it of what mask and map share, in percent of either (both
above a half).
"""

import json
import sys
from pathlib import Path

from reidpipe.runtime.process import settle

settle()
# isort: split
import torch
from torch import Tensor

from reidpipe.formats import plan, weights
from reidpipe.formats.pose import JOINTS, LIMBS, RIGID
from reidpipe.formats.runs import POSE_FILE
from reidpipe.formats.settings.data import SyntheticSource
from reidpipe.images.transforms import normalise
from reidpipe.runtime.machine import prepare
from reidpipe.runtime.settings import Cluster
from reidpipe.systems.aacn import POSE, Pose
from reidpipe.training import pose

NEAR = 0.1
HALF = 0.5


def main() -> None:
    entry = plan.entry("pose")
    machine = Cluster.model_validate(entry["machine"])
    prepare(machine.device, machine.threads, machine.instructions)
    tensors, _ = weights.load(Path(POSE_FILE))
    model = Pose(entry["network"]["backbone"], entry["network"]["pose_width"])
    own = {key.removeprefix(POSE): tensors[key] for key in tensors if key.startswith(POSE)}
    model.load_state_dict(own)
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    training = entry["training"]
    source = SyntheticSource(
        layout="market1501",
        cameras=training["cameras"],
        train_ids=training["identities"],
        test_ids=1,
        height=training["height"],
        seed=seed,
    )
    height, width = entry["image_size"]
    images, joints = pose.seen(source, (height, width))
    with torch.no_grad():
        found = model.eval()(normalise(images))[-1]
    wanted = pose.maps(joints, (found.shape[2], found.shape[3]))
    off = distances(found[:, : len(JOINTS)], joints, height / width)
    shown = joints[..., 2] > 0
    cell = pose.CELL / height
    told = {
        "photographs": len(images),
        "joints": int(shown.sum()),
        "within a cell": percent(off[shown] <= cell * 2**0.5),
        f"within {NEAR} of the height": percent(off[shown] <= NEAR),
    }
    overlaps = {
        name: overlap(found[:, number], wanted[:, number])
        for number, name in enumerate([*RIGID, *LIMBS], len(JOINTS))
    }
    print(json.dumps({**told, "overlap": overlaps}))


def distances(maps: Tensor, joints: Tensor, ratio: float) -> Tensor:
    """From the largest value of each map to its joint, in heights of the image, [B, 14]."""
    rows, columns = maps.shape[2:]
    best = maps.flatten(2).argmax(2)
    y = (best // columns + 0.5) / rows - joints[..., 1]
    x = ((best % columns + 0.5) / columns - joints[..., 0]) / ratio
    return (x**2 + y**2).sqrt()


def overlap(found: Tensor, wanted: Tensor) -> float:
    """Mean intersection over union of [B, H, W], in percent."""
    one, other = found > HALF, wanted > HALF
    there = other.flatten(1).any(1)
    both, either = ((one & other).sum((1, 2)), (one | other).sum((1, 2)))
    return round(float((both[there] / either[there]).mean() * 100), 1)


def percent(which: Tensor) -> float:
    return round(float(which.float().mean() * 100), 1)


if __name__ == "__main__":
    main()

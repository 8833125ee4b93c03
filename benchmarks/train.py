"""How near to the network's own speed training and extraction run, and how far from a plain loop.

    python benchmarks/train.py                  all of them, a process each
    python benchmarks/train.py train-paper      one

Prints one JSON line a benchmark. `images_per_s` is training (or embedding) from the packed zip, as
the stages do it. `model_images_per_s` is the same step on random tensors that lie in memory, and
`share` their quotient: 1 where reading and augmenting cost nothing. `speedup` is against the loop
of the field's code bases: float32, contiguous tensors, PIL images and transforms one by one, a
loader of one worker. The three take turns, and the best turn of each counts. The data are
synthetic people of 128 x 64 pixels, generated into a temporary folder.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

# After reidpipe, which settles how threads wait: torch reads that once, when it is loaded.
# isort: split
import torch
from torch import Tensor
from torch.optim import Adam
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from reidpipe import params
from reidpipe.data import packing, records, splitting, synthetic
from reidpipe.data.archive import decode, read
from reidpipe.data.transforms import MEAN, STD, normalise
from reidpipe.losses.triplet import batch_hard
from reidpipe.models.reid import ReID, on_device
from reidpipe.params import SyntheticSource, TrainParams
from reidpipe.runtime import machine
from reidpipe.training.batches import Batch, TrainingSet
from reidpipe.training.loop import AUTOCAST, losses
from reidpipe.training.run import Run, new_model, training_set

PEOPLE = SyntheticSource(
    source="synthetic", layout="market1501", cameras=6, train_ids=64, test_ids=1
)
OURS = Run("ours", attention="cbam", classifier="circle", triplet=True)
CPU = torch.device("cpu")
TURNS = 3


class Speed(NamedTuple):
    """Batches of a turn, and whether the plain loop is measured too."""

    batches: int
    plain: bool


TRAINING = {"train-embedded": Speed(12, plain=False), "train-paper": Speed(3, plain=True)}


def benchmark(name: str) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        archive, manifest = prepared(Path(folder))
        chosen = params.load()
        profile = chosen.embedded if name == "train-embedded" else chosen.paper
        recipe = profile.train.model_copy(update={"device": "cpu", "workers": 0})
        machine.prepare("cpu", recipe.threads)
        if name == "extract-paper":
            found = extracting(archive, manifest, recipe, profile.extract.precision)
        else:
            found = training(archive, manifest, recipe, TRAINING[name])
    return {"benchmark": name, **found}


def prepared(folder: Path) -> tuple[Path, Path]:
    """Packed synthetic people and their manifest."""
    raw, archive, manifest = (folder / name for name in ("raw.zip", "packed.zip", "manifest.csv"))
    synthetic.generate(raw, PEOPLE)
    packing.pack(raw, archive, PEOPLE.layout)
    splitting.split(archive, manifest, PEOPLE.layout)
    return archive, manifest


def training(archive: Path, manifest: Path, recipe: TrainParams, speed: Speed) -> dict[str, object]:
    data = training_set(archive, manifest, recipe, seed=0)
    ours, reference = (new_model(OURS, recipe, data.num_classes, seed=0) for _ in range(2))
    step = stepping(on_device(ours, CPU).train(), recipe)
    served, plain_served = endless(data), plain_batches(archive, manifest, recipe)
    resident = next(served)
    plain_step = plain_stepping(reference.train(), recipe)
    ways: dict[str, Callable[[], object]] = {
        "images_per_s": lambda: step(next(served)),
        "model_images_per_s": lambda: step(resident),
    }
    if speed.plain:
        ways["plain_images_per_s"] = lambda: plain_step(*next(plain_served))
    found = best(ways, recipe.identities * recipe.images, speed.batches)
    return quotients(found)


def extracting(
    archive: Path, manifest: Path, recipe: TrainParams, precision: str
) -> dict[str, object]:
    data = training_set(archive, manifest, recipe.model_copy(update={"cache_mb": 0}), seed=0)
    ours, reference = (new_model(OURS, recipe, data.num_classes, seed=0).eval() for _ in range(2))
    on_device(ours, CPU)
    half, size = AUTOCAST.get(precision), 64
    indices = range(size)
    resident = normalise(data.images.take(list(indices)))
    plain = plain_batches(archive, manifest, recipe)

    @torch.inference_mode()
    def embed(pixels: Tensor) -> None:
        with torch.autocast("cpu", dtype=half, enabled=half is not None):
            ours.embed(pixels.contiguous(memory_format=torch.channels_last))

    @torch.inference_mode()
    def plainly() -> None:
        reference.embed(next(plain)[0].contiguous())

    ways = {
        "images_per_s": lambda: embed(normalise(data.images.take(list(indices)))),
        "model_images_per_s": lambda: embed(resident),
        "plain_images_per_s": plainly,
    }
    return {"precision": precision, **quotients(best(ways, size, batches=2))}


def stepping(model: ReID, recipe: TrainParams) -> Callable[[Batch], None]:
    """One step of `fit`."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimiser = Adam(weights, lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True)

    def step(batch: Batch) -> None:
        loss, _ = losses(model, batch, recipe, CPU, triplet=True)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    return step


def endless(data: TrainingSet) -> Iterator[Batch]:
    epoch = 0
    while True:
        yield from data.epoch(epoch)
        epoch += 1


class PlainImages(Dataset[tuple[Tensor, int]]):
    """An image at a time, opened, augmented by PIL and made a tensor."""

    def __init__(self, archive: Path, manifest: Path, recipe: TrainParams) -> None:
        rows = records.read(manifest).query("subset == 'train'")
        self.archive, self.members = archive, rows["member"].tolist()
        self.labels = rows["label"].tolist()
        self.transform = transforms.Compose(
            [
                transforms.Resize(recipe.image_size, transforms.InterpolationMode.BICUBIC),
                transforms.RandomHorizontalFlip(),
                transforms.Pad(recipe.augment.pad),
                transforms.RandomCrop(recipe.image_size),
                transforms.ToTensor(),
                transforms.Normalize(MEAN, STD),
                transforms.RandomErasing(),
            ]
        )

    def __len__(self) -> int:
        return len(self.members)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = decode(read(self.archive, self.members[index]))
        return self.transform(image), self.labels[index]


def plain_batches(
    archive: Path, manifest: Path, recipe: TrainParams
) -> Iterator[tuple[Tensor, Tensor]]:
    """P x K batches, the first images of each identity again and again."""
    data = PlainImages(archive, manifest, recipe)
    images: dict[int, list[int]] = {}
    for index, label in enumerate(data.labels):
        images.setdefault(label, []).append(index)
    order = [index for own in images.values() for index in own[: recipe.images]]
    size = recipe.identities * recipe.images
    while True:
        yield from DataLoader(data, size, sampler=order, num_workers=1, drop_last=True)


def plain_stepping(model: ReID, recipe: TrainParams) -> Callable[[Tensor, Tensor], None]:
    """The same losses in float32 on contiguous tensors, with an ordinary Adam."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimiser = Adam(weights, lr=recipe.lr, weight_decay=recipe.weight_decay)
    smoothed = torch.nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)

    def step(images: Tensor, labels: Tensor) -> None:
        output = model(images, labels)
        loss = smoothed(output.logits, labels) + batch_hard(output.feature, labels, margin=0.3)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


def best(ways: Mapping[str, Callable[[], object]], size: int, batches: int) -> dict[str, float]:
    """Images a second of each way, the best of turns taken one after the other."""
    for way in ways.values():
        way()
    found = dict.fromkeys(ways, 0.0)
    for _ in range(TURNS):
        for name, way in ways.items():
            start = time.perf_counter()
            for _ in range(batches):
                way()
            found[name] = max(found[name], size * batches / (time.perf_counter() - start))
    return found


def quotients(found: dict[str, float]) -> dict[str, object]:
    result: dict[str, Any] = {name: round(value, 2) for name, value in found.items()}
    result["share"] = round(found["images_per_s"] / found["model_images_per_s"], 3)
    if "plain_images_per_s" in found:
        result["speedup"] = round(found["images_per_s"] / found["plain_images_per_s"], 2)
    return result


if __name__ == "__main__":
    if names := sys.argv[1:]:
        for name in names:
            print(json.dumps(benchmark(name)))
    else:
        for name in (*TRAINING, "extract-paper"):
            subprocess.run([sys.executable, __file__, name], check=True)

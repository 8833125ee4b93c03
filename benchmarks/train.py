"""How near to the network's own speed training and extraction run, and how far from a plain loop.

    python benchmarks/train.py                      all of them, a process each
    python benchmarks/train.py train-paper          one
    python benchmarks/train.py train-paper-fp32     in another precision than the profile's

Prints one JSON line per benchmark. `images_per_s` is training (or embedding) from the packed zip,
as the stages do it. `model_images_per_s` is the same step on tensors that lie on the device, and
`share` their quotient: 1 where reading and augmenting cost nothing. `speedup` is against the loop
of the field's code bases: float32 (convolutions in TF32 where a GPU has it, torch's default),
contiguous tensors, PIL images and transforms one by one, a loader of one worker. The three take
turns, and the best turn of each counts. The data are synthetic people of 128 x 64 pixels,
generated into a temporary folder.

train-embedded runs on the CPU, the others on a GPU where there is one, with the workers of the
paper profile (one core in two at most); without, in the process itself.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple, get_args

from reidpipe.runtime.process import settle

settle()
# isort: split
import torch
from torch import Tensor
from torch.optim import Adam
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from reidpipe.datasets import splitting
from reidpipe.datasets.download import synthesised
from reidpipe.extraction.embeddings import embed
from reidpipe.formats import manifest as manifest_file
from reidpipe.formats import params, zips
from reidpipe.formats.params import Options
from reidpipe.formats.pictures import decode
from reidpipe.formats.settings.data import SyntheticSource
from reidpipe.formats.settings.extraction import ExtractParams
from reidpipe.formats.settings.training import Identities, Recipe
from reidpipe.images.images import Images
from reidpipe.images.transforms import MEAN, STD, normalise
from reidpipe.layers.initial import initialise, torch_stream
from reidpipe.losses.circle import circle_logits
from reidpipe.losses.triplet import batch_hard
from reidpipe.runtime import machine
from reidpipe.runtime.machine import on_device
from reidpipe.runtime.settings import Loading, Precision
from reidpipe.systems import ours
from reidpipe.systems import recipe as recipe_of
from reidpipe.training import loop
from reidpipe.training.phases import ready
from reidpipe.training.run import training_set

PEOPLE = SyntheticSource(layout="market1501", cameras=6, train_ids=64, test_ids=1)
TURNS, SECONDS = 3, 5.0
"""Of each way, and how long a turn is at least."""
ROUNDS = 1000
"""Of the plain loop through its images: more than it will take."""
NAMES = ("train-embedded", "train-paper", "extract-paper", "extract-paper-bf16")
PRECISIONS = get_args(Precision)


class Way(NamedTuple):
    """Something to measure, and how many images it takes at a time."""

    work: Callable[[], object]
    images: int


def benchmark(name: str) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        archive, manifest = prepared(Path(folder))
        wanted = "embedded" if name.startswith("train-embedded") else "paper"
        profile = params.load(profile=wanted).active
        how = profile.machine
        device = machine.prepare(how.device, how.threads, how.instructions)
        workers = min(8, (os.cpu_count() or 1) // 2) if device.type == "cuda" else 0
        asked = name.rpartition("-")[2]
        # The run is longer than the benchmark.
        recipe = recipe_of("ours", {**profile.recipe("ours"), "epochs": 10_000})
        network = profile.network("cbam", "circle", triplet=True)
        if name.startswith("extract"):
            change: dict[str, object] = {} if device.type == "cuda" else {"batch_size": 64}
            change |= {"precision": asked} if asked in PRECISIONS else {}
            extract = profile.extract.model_copy(update=change)
            found = extracting(
                (archive, manifest), network, recipe, extract, device, workers=workers
            )
        else:
            found = training(
                (archive, manifest),
                network,
                recipe,
                device,
                precision=asked if asked in PRECISIONS else how.precision,
                workers=workers,
                plain=name.startswith("train-paper"),
            )
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return {"benchmark": name, "device": where, **found}


def prepared(folder: Path) -> tuple[Path, Path]:
    """Packed synthetic people and their manifest."""
    archive, manifest = folder / "packed.zip", folder / "manifest.csv"
    synthesised(PEOPLE, archive)
    splitting.split(archive, manifest, PEOPLE.layout)
    return archive, manifest


def training(
    files: tuple[Path, Path],
    network: Options,
    recipe: Recipe,
    device: torch.device,
    *,
    precision: str,
    workers: int,
    plain: bool,
) -> dict[str, object]:
    archive, manifest = files
    data = training_set(archive, manifest, recipe, 0, Loading(workers=workers))
    mine, reference = (built(network, data.num_classes) for _ in range(2))
    step = stepping(on_device(mine, device).train(), recipe, precision)
    size = recipe.batches.size
    # Started before the networks fill the memory, of which a fork is a copy.
    plain_served = plain_batches(archive, manifest, recipe, augmented=True)
    if plain:
        next(plain_served)
    with data.batches(0, 0, data.recipe.epochs, device) as served:
        resident = next(served).on(device)
        ways = {
            "images_per_s": Way(lambda: step(*next(served).on(device)), size),
            "model_images_per_s": Way(lambda: step(*resident), size),
        }
        if plain:
            plain_step = plain_stepping(reference.to(device).train(), recipe)
            ways["plain_images_per_s"] = Way(lambda: plain_step(*next(plain_served)), size)
        return {"precision": precision, **quotients(best(ways))}


def extracting(
    data: tuple[Path, Path],
    network: Options,
    recipe: Recipe,
    extract: ExtractParams,
    device: torch.device,
    *,
    workers: int,
) -> dict[str, object]:
    archive, manifest = data
    members = training_set(archive, manifest, recipe, seed=0).images.members
    mine, reference = (built(network, 8).eval() for _ in range(2))
    on_device(mine, device)
    batches = 40 if device.type == "cuda" else 1
    count = batches * extract.batch_size
    images = Images(archive, list(islice(cycle(members), count)), recipe.image_size, cache_mb=0)
    first = normalise(images.take(range(extract.batch_size)).to(device))
    resident = first.contiguous(memory_format=torch.channels_last)
    plain = plain_batches(archive, manifest, recipe, augmented=False)
    next(plain)  # starts its worker before the memory is full
    reference.to(device)

    @torch.inference_mode()
    def bare() -> None:
        with machine.autocast(device, extract.precision):
            mine.embed(resident)

    @torch.inference_mode()
    def plainly() -> None:
        with habits_of_the_field():
            reference.embed(next(plain)[0].to(device))

    def whole() -> None:
        embed(mine, images, extract, device, label="images", workers=workers)

    ways = {
        "images_per_s": Way(whole, count),
        "model_images_per_s": Way(bare, extract.batch_size),
        "plain_images_per_s": Way(plainly, recipe.batches.size),
    }
    return {"precision": extract.precision, **quotients(best(ways))}


def built(network: Options, num_classes: int) -> ours.Network:
    model = ours.Network(num_classes, **network)
    initialise(model, torch_stream(0, "weights"))
    return model


def stepping(
    model: ours.Network, recipe: Recipe, precision: str
) -> Callable[[Tensor, Tensor], None]:
    """One step of `fit`."""
    learnable = {name for name, weight in model.named_parameters() if weight.requires_grad}
    optimiser = ready(model, recipe.phases[0], learnable)

    def step(images: Tensor, labels: Tensor) -> None:
        loss, _ = loop.step(model, model, images, labels, precision)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    return step


@contextmanager
def habits_of_the_field() -> Iterator[None]:
    """What the code bases of the field leave to torch: the fastest kernels of a GPU, and TF32."""
    before = torch.get_deterministic_debug_mode()
    torch.set_deterministic_debug_mode("default")
    with torch.backends.cudnn.flags(benchmark=True, deterministic=False, allow_tf32=True):
        yield
    torch.set_deterministic_debug_mode(before)


class PlainImages(Dataset[tuple[Tensor, int]]):
    """An image at a time, opened, augmented by PIL where it is for training, and made a tensor."""

    def __init__(self, archive: Path, manifest: Path, recipe: Recipe, *, augmented: bool) -> None:
        rows = manifest_file.read(manifest).query("subset == 'train'")
        self.archive, self.members = archive, rows["member"].tolist()
        self.labels = rows["label"].tolist()
        moved = [
            transforms.RandomHorizontalFlip(),
            transforms.Pad(recipe.augment["pad"]),
            transforms.RandomCrop(recipe.image_size),
        ]
        self.transform = transforms.Compose(
            [
                transforms.Resize(recipe.image_size, transforms.InterpolationMode.BICUBIC),
                *(moved if augmented else []),
                transforms.ToTensor(),
                transforms.Normalize(MEAN, STD),
                *([transforms.RandomErasing()] if augmented else []),
            ]
        )

    def __len__(self) -> int:
        return len(self.members)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = decode(zips.read(self.archive, self.members[index]))
        return self.transform(image), self.labels[index]


def plain_batches(
    archive: Path, manifest: Path, recipe: Recipe, *, augmented: bool
) -> Iterator[tuple[Tensor, Tensor]]:
    """P x K batches, the first images of each identity again and again."""
    data = PlainImages(archive, manifest, recipe, augmented=augmented)
    images: dict[int, list[int]] = {}
    for index, label in enumerate(data.labels):
        images.setdefault(label, []).append(index)
    if not isinstance(recipe.batches, Identities):
        raise TypeError(recipe.batches)
    order = [index for own in images.values() for index in own[: recipe.batches.images]]
    yield from DataLoader(data, recipe.batches.size, sampler=order * ROUNDS, num_workers=1)


def plain_stepping(model: ours.Network, recipe: Recipe) -> Callable[[Tensor, Tensor], None]:
    """The same losses in float32 on contiguous tensors, with an ordinary Adam."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    phase = recipe.phases[0]
    optimiser = Adam(weights, lr=phase.lr, weight_decay=phase.weight_decay)
    smoothed = torch.nn.CrossEntropyLoss(label_smoothing=model.label_smoothing)

    def step(images: Tensor, labels: Tensor) -> None:
        device = model.neck.weight.device
        images, labels = images.to(device), labels.to(device)
        with habits_of_the_field():
            out = model(images)
            logits = circle_logits(out["scores"], labels, **model.circle)
            loss = smoothed(logits, labels) + batch_hard(out["feature"], labels, margin=0.3)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    return step


def best(ways: Mapping[str, Way]) -> dict[str, float]:
    """Images per second of each way, the best of turns taken one after the other."""
    for work, _ in ways.values():
        work()
    calls = {name: round(SECONDS / seconds(way.work, 1)) or 1 for name, way in ways.items()}
    found = dict.fromkeys(ways, 0.0)
    for _ in range(TURNS):
        for name, (work, images) in ways.items():
            speed = images * calls[name] / seconds(work, calls[name])
            found[name] = max(found[name], speed)
    return found


def seconds(work: Callable[[], object], calls: int) -> float:
    """How long so many calls take, what a GPU has still to do included."""
    start = time.perf_counter()
    for _ in range(calls):
        work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


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
        for name in NAMES:
            subprocess.run([sys.executable, __file__, name], check=True)

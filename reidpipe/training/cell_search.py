"""What the cell stage does: Auto-ReID's cell, the published one, or one that is searched for.

The search is that of DARTS (https://arxiv.org/abs/1806.09055) in its first order. Each edge of a
cell is a sum of all operations, weighted by a softmax of parameters alpha that all cells of a kind
share. The images of each identity are halved. In each step alpha descends on a batch of the second
half, then the weights on one of the first, both by Auto-ReID's loss. In the end a node keeps the
two edges, and an edge the operation, of the largest weight.

Its settings are those of duanyiqun/Auto-ReID-Fast (c447ddf), which is said to follow the paper.
A search as short as the embedded profile can afford finds a cell that is mostly chance, and long
ones are known to end in poolings.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import cos, pi
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import SGD, Adam

from reidpipe.formats import cells
from reidpipe.formats import manifest as manifest_file
from reidpipe.formats.cells import EDGES, KINDS, NODES, OPERATIONS, Cell, Edge
from reidpipe.formats.settings.training import Identities, Phase, Recipe
from reidpipe.images.images import Images
from reidpipe.layers import cells as layers
from reidpipe.layers.heads import Linear
from reidpipe.layers.initial import initialise, torch_stream
from reidpipe.layers.pooling import average
from reidpipe.runtime.machine import autocast, on_device, prepare
from reidpipe.runtime.progress import progress
from reidpipe.runtime.settings import (
    BatchSize,
    Channels,
    Cluster,
    Depths,
    Fraction,
    Keywords,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Size,
)
from reidpipe.runtime.streams import stream
from reidpipe.systems.autoreid import PUBLISHED, kind, plan, retrieval, stem
from reidpipe.training.batches import TrainingSet
from reidpipe.training.finite import finite
from reidpipe.training.position import moments, put_back
from reidpipe.training.resume import State, key

CHOICES = (*OPERATIONS, "none")
"""Of an edge; the last gives nothing."""
_EDGES = sum(range(2, 2 + NODES))
_LEAST = 0.01
"""Of the first learning rate: the last."""


def cell(entry: Mapping[str, Any], dataset: str, out: Path) -> None:
    """Write the cell that `entry` of the plan asks for, for the runs of a data set."""
    if entry["search"]["epochs"] == 0:
        cells.write(out, PUBLISHED)
        return
    archive, manifest = Path(f"data/raw/{dataset}.zip"), Path(f"data/splits/{dataset}.csv")
    machine = Cluster.model_validate(entry["machine"])
    state_key = key({"cell": dataset, **entry}, [archive, manifest])
    with State(state_key) as state:
        found = search(
            archive, manifest, state, seed=entry["seed"], machine=machine, **entry["search"]
        )
        cells.write(out, found)
        state.remove()


def search(
    archive: Path,
    manifest: Path,
    state: State,
    *,
    seed: int,
    machine: Cluster,
    epochs: NonNegativeInt = 0,
    image_size: Size = (384, 128),
    identities: PositiveInt = 8,
    images: BatchSize = 4,
    augment: Annotated[dict[str, Any], Keywords("images/transforms.py", "augment")] = {},  # noqa: B006
    channels: Channels = 16,
    depths: Depths = (1, 1, 1, 1),
    lr: PositiveFloat = 0.1,
    weight_decay: NonNegativeFloat = 5e-5,
    alpha_lr: PositiveFloat = 0.02,
    alpha_decay: NonNegativeFloat = 5e-5,
    weight: Fraction = 0.5,
) -> Cell:
    """Search on the train rows of a manifest; killed and called again, it goes on.

    Args:
        archive: the packed data set.
        manifest: its table.
        state: what survives a kill.
        seed: of weights, halves, batches and augmentation.
        machine: where; one device.
        epochs: of the search, over half of the images; 0: the published cell, without a search.
        image_size: height, width in pixels.
        identities: P.
        images: K.
        augment: what is otherwise than in the ReID baselines.
        channels: C of the first cells.
        depths: cells of the four stages.
        lr: of the weights, by SGD; it falls by a cosine to a hundredth.
        weight_decay: of the weights.
        alpha_lr: of alpha, by Adam with a first beta of 0.5.
        alpha_decay: of alpha.
        weight: lambda, the share of the cross-entropy.
    """
    device = prepare(machine.device, machine.threads, machine.instructions)
    recipe = Recipe(
        image_size=image_size,
        batches=Identities(identities=identities, images=images),
        augment=augment,
        phases=(Phase(epochs=epochs, optimiser="sgd", lr=lr, weight_decay=weight_decay),),
    )
    first, second = halves(archive, manifest, recipe, seed)
    network = Mixed(first.num_classes, channels, depths)
    initialise(network, torch_stream(seed, "cell"))
    on_device(network, device).train()
    alpha = list(network.alpha.parameters())
    weights = [own for name, own in network.named_parameters() if not name.startswith("alpha.")]
    optimisers = {
        "alpha": Adam(alpha, alpha_lr, (0.5, 0.999), weight_decay=alpha_decay),
        "weights": SGD(weights, lr, momentum=0.9, weight_decay=weight_decay),
    }
    steps = min(first.steps, second.steps)

    def descend(name: str, data: TrainingSet, number: int) -> float:
        """A step of the alphas, or of the weights, on one half."""
        pictures, labels = data[number].on(device)
        with autocast(device, machine.precision):
            terms = retrieval(network(pictures), labels, weight)
        loss = torch.stack(list(terms.values())).sum()
        value = finite(loss, f"the search, step {number + 1} of the {name}")
        for optimiser in optimisers.values():
            optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimisers[name].step()
        return value

    begun = _restored(state, network, optimisers)
    with progress("cell", epochs * steps) as show:
        for epoch in range(begun, epochs):
            rate = lr * (_LEAST + (1 - _LEAST) * (1 + cos(pi * epoch / epochs)) / 2)
            optimisers["weights"].param_groups[0]["lr"] = rate
            for step in range(steps):
                other = descend("alpha", second, epoch * second.steps + step)
                own = descend("weights", first, epoch * first.steps + step)
                show(epoch * steps + step + 1, values={"loss": own, "alpha": other})
            if epoch + 1 < epochs and state.due(epoch_ends=True):
                _keep(state, network, optimisers, epoch + 1)
    return network.cell()


def halves(
    archive: Path, manifest: Path, recipe: Recipe, seed: int
) -> tuple[TrainingSet, TrainingSet]:
    """Two data sets of the same identities, which share no image."""
    rows = manifest_file.read(manifest).query("subset == 'train'").reset_index(drop=True)
    labels = rows["label"].to_numpy()
    is_first = first_half(labels, seed)
    return tuple(  # type: ignore[return-value]
        TrainingSet(
            Images(archive, part["member"].tolist(), recipe.image_size, cache_mb=2048),
            part["label"].to_numpy(),
            recipe,
            seed + own,
        )
        for own, part in enumerate((rows[is_first], rows[~is_first]))
    )


def first_half(labels: NDArray[np.integer], seed: int) -> NDArray[np.bool_]:
    """Which images [N] are of the first half: every second of each identity, in random order."""
    found = np.zeros(len(labels), np.bool_)
    for label in np.unique(labels):
        rows = stream(seed, "halves", int(label)).permutation(np.flatnonzero(labels == label))
        found[rows[::2]] = True
    return found


class Mixed(nn.Module):
    """Auto-ReID with all operations on every edge: images [B, 3, H, W] -> `feature`, `scores`."""

    def __init__(self, num_classes: int, channels: int, depths: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.alpha = Alpha()
        self.stem = stem(channels)
        self.cells = nn.ModuleList(
            MixedCell(before, width, reduces=reduces, reduced=reduced)
            for before, width, reduces, reduced in plan(channels, depths)
        )
        self.head = Linear(NODES * channels * 2 ** (len(depths) - 1), num_classes, bias=True)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        weights = {name: alpha.softmax(1) for name, alpha in self.alpha.named_parameters()}
        older = newer = self.stem(images)
        for part in self.cells:
            older, newer = newer, part(older, newer, weights[kind(bool(part.reduces))])
        feature = average(newer)
        return {"feature": feature, "scores": self.head(feature)}

    @torch.no_grad()
    def cell(self) -> Cell:
        """What is left when every edge has one operation, and every node two edges."""
        weights = {name: alpha.softmax(1).cpu() for name, alpha in self.alpha.named_parameters()}
        return {name: list(chosen(weights[name])) for name in KINDS}


class Alpha(nn.Module):
    """What decides the cells: [14, operations] of each kind."""

    def __init__(self) -> None:
        super().__init__()
        for name in KINDS:
            self.register_parameter(name, nn.Parameter(torch.empty(_EDGES, len(CHOICES))))

    def start(self, generator: torch.Generator) -> None:
        """Nearly equal weights."""
        for own in self.parameters():
            nn.init.normal_(own, std=1e-3, generator=generator)


class MixedCell(nn.Module):
    """`layers.cells.Cell`, whose nodes sum all operations on all states before them."""

    def __init__(
        self, before: tuple[int, int], channels: int, *, reduces: bool, reduced: bool
    ) -> None:
        super().__init__()
        self.reduces = reduces
        self.inputs = layers.inputs(before, channels, reduced=reduced, affine=False)
        self.edges = nn.ModuleList(
            MixedOperation(channels, 2 if reduces and state < len(before) else 1)
            for node in range(NODES)
            for state in range(node + 2)
        )

    def forward(self, older: Tensor, newer: Tensor, weights: Tensor) -> Tensor:
        states = [found(x) for found, x in zip(self.inputs, (older, newer), strict=True)]
        edges = iter(zip(self.edges, weights, strict=True))
        for _ in range(NODES):
            # The edges of a node are as many as the states before it.
            own = [edge(x, weight) for x, (edge, weight) in zip(list(states), edges, strict=False)]
            states.append(torch.stack(own).sum(0))
        return torch.cat(states[-NODES:], dim=1)


class MixedOperation(nn.Module):
    """A sum of all operations, weighted by [operations]; no norm learns a scale of its own."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.operations = nn.ModuleList(
            _normed(layers.operation(name, channels, stride, affine=False), name, channels)
            for name in OPERATIONS
        )

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        parts = [own(x) * weight for own, weight in zip(self.operations, weights, strict=False)]
        return torch.stack(parts).sum(0)


def _normed(operation: nn.Module, name: str, channels: int) -> nn.Module:
    """Behind a pooling a batch norm, as behind the others."""
    if name not in {"max", "average"}:
        return operation
    return nn.Sequential(operation, nn.BatchNorm2d(channels, affine=False))


def chosen(weights: Tensor) -> Iterator[Sequence[Edge]]:
    """Of weights [14, operations], the edges that each node keeps, the heaviest first."""
    for own in torch.split(weights[:, : len(OPERATIONS)], [2 + node for node in range(NODES)]):
        best, which = own.max(1)
        kept = best.argsort(descending=True, stable=True)[:EDGES]
        yield [(OPERATIONS[int(which[state])], int(state)) for state in kept]


def _keep(state: State, network: nn.Module, optimisers: Mapping[str, Any], epoch: int) -> None:
    tensors = {f"model.{name}": value for name, value in network.state_dict().items()}
    for name, optimiser in optimisers.items():
        tensors |= {f"{name}.{own}": value for own, value in moments(optimiser).items()}
    state.save(tensors, {"epoch": epoch})


def _restored(state: State, network: nn.Module, optimisers: Mapping[str, Any]) -> int:
    """Put a saved state back; the epoch to go on with."""
    saved = state.load()
    if saved is None:
        return 0
    tensors, about = saved

    def part(prefix: str) -> dict[str, Tensor]:
        return {
            name.removeprefix(prefix): value
            for name, value in tensors.items()
            if name.startswith(prefix)
        }

    network.load_state_dict(part("model."))
    for name, optimiser in optimisers.items():
        put_back(part(f"{name}."), optimiser)
    return int(about["epoch"])

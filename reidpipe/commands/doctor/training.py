"""Time and memory of each run, from a few measured steps of each network."""

import math
import time
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from reidpipe.commands.doctor.finding import Finding, from_error
from reidpipe.commands.doctor.inputs import Sizes
from reidpipe.commands.doctor.machine import GIB, memory
from reidpipe.errors import UserError
from reidpipe.formats.settings.training import Identities, Recipe
from reidpipe.layers.dropout import draw_from
from reidpipe.runtime import machine
from reidpipe.runtime.settings import OURS, Cluster
from reidpipe.systems import System
from reidpipe.training import loop
from reidpipe.training.run import new_model

_STEPS = 2
_SLOW = 2.0
"""Seconds of a first step that is measure enough, although it also warms up."""
_PIXELS = 1 << 16
"""A CPU measures as much of a batch as has so many, or four images; the rest by ratio."""
_ADAM = 16
"""Bytes per parameter: itself, its gradient and two moments, float32."""


def runs(
    table: Mapping[str, Mapping[str, Any]],
    recipes: Mapping[str, Recipe],
    images: Mapping[str, Sizes],
    device: torch.device,
) -> Iterator[Finding]:
    """A finding per run of the plan, then their sum."""
    measured: dict[str, tuple[float, float]] = {}
    available = memory(device) / GIB
    total = most = 0.0
    for name, run in table.items():
        recipe = recipes[name]
        alike = repr((run["system"], run["network"], recipe.image_size, largest(recipe)))
        try:
            if alike not in measured:
                where = Cluster.model_validate(run["machine"])
                measured[alike] = step_cost(run, recipe, where, device)
        except torch.OutOfMemoryError:
            measured[alike] = 0.0, math.inf
        except UserError as error:
            yield from_error(name, error)
            continue
        seconds, needed = measured[alike]
        took = seconds / largest(recipe) * seen(recipe, images[run["dataset"]].train)
        total += took
        most = max(most, needed) if math.isfinite(needed) else most
        known = f"about {duration(took)}" if took else "unknown time"
        full = f"one step needs more than the {available:.1f} GiB of {device}"
        yield Finding(
            name,
            fine=needed < available,
            found=full if math.isinf(needed) else f"{known}, {needed:.1f} GiB",
            fix=_smaller(run["system"], recipe),
        )
    found = f"about {duration(total)} of training, one after the other; at most {most:.1f} GiB"
    yield Finding("all runs", fine=True, found=found)


def _smaller(system: str, recipe: Recipe) -> str:
    """How a step is made to need less memory."""
    size = "identities" if isinstance(recipe.batches, Identities) else "batch_size"
    where = "train" if system == OURS else f"systems.{system}"
    return f"lower {size} or image_size in {where} of the profile"


def largest(recipe: Recipe) -> int:
    """Images of the largest batch of any phase."""
    return max(recipe.size(phase) for phase in recipe.phases)


def seen(recipe: Recipe, images: int) -> int:
    """Images that a training with `images` sees, each as often as it does; 0 where unknown."""
    by_phase = (
        phase.epochs * (phase.pool.updates * phase.pool.size if phase.pool else images)
        for phase in recipe.phases
    )
    return sum(by_phase) if images else 0


def kind(run: Mapping[str, Any]) -> str:
    """What a reader calls the network of a run: by its attention, or by a system not Ours."""
    found: str = run["network"].get("attention", run["system"])
    return found


def step_cost(
    run: Mapping[str, Any], recipe: Recipe, where: Cluster, device: torch.device
) -> tuple[float, float]:
    """Seconds of one training step, and the GiB that it needs of the device's memory."""
    share = largest(recipe) // (where.devices * where.nodes)
    model = new_model(run["system"], run["network"], share, seed=0)
    machine.on_device(model, device).train()
    draw_from(model, 0)
    pixels = math.prod(recipe.image_size)
    # Two people with two images each are the least that has triplets.
    size = share if device.type == "cuda" else max(4, min(share, _PIXELS // pixels))
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    images = torch.zeros(size, 3, *recipe.image_size, device=device)
    start = time.perf_counter()
    kept = step(model, images, where.precision)
    took = time.perf_counter() - start
    if took < _SLOW:
        start = time.perf_counter()
        for _ in range(_STEPS):
            step(model, images, where.precision)
        took = (time.perf_counter() - start) / _STEPS
    seconds = took * share / size
    parameters = _ADAM * sum(weight.numel() for weight in model.parameters())
    if device.type == "cuda":
        return seconds, (torch.cuda.max_memory_allocated(device) + parameters / 2) / GIB
    return seconds, (kept * share / size + parameters) / GIB


def step(model: System, images: Tensor, precision: str) -> int:
    """Forward and backward on grey images; the bytes that the forward pass keeps for the other."""
    labels = torch.arange(len(images), device=images.device) // 2
    kept: dict[int, int] = {}

    def noted(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(noted, lambda tensor: tensor):
        loss, _ = loop.step(model, model, images, labels, precision)
        loss.backward()  # type: ignore[no-untyped-call]
    if images.device.type == "cuda":
        torch.cuda.synchronize(images.device)
    own = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    return sum(length for place, length in kept.items() if place not in own)


def duration(seconds: float) -> str:
    """Seconds in words of the largest fitting unit."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"

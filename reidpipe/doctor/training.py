"""Time and memory of each run, from a few measured steps of each attention."""

import math
import time
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.functional import cross_entropy

from reidpipe.doctor.finding import Finding
from reidpipe.doctor.machine import GIB, memory
from reidpipe.models.initial import initialise, torch_stream
from reidpipe.models.reid import ReID, on_device
from reidpipe.params import TrainParams
from reidpipe.reporting.experiment import Run
from reidpipe.runtime import machine

_STEPS = 2
_SLOW = 2.0
"""Seconds of a first step that is measure enough, although it also warms up."""
_PIXELS = 1 << 16
"""A CPU measures as much of a batch as has so many, two images of 256x128; the rest by ratio."""
_ADAM = 16
"""Bytes a parameter: itself, its gradient and two moments, float32."""


def runs(
    table: Mapping[str, Run], train: TrainParams, images: Mapping[str, int], device: torch.device
) -> Iterator[Finding]:
    """A finding a run; `images` are the training images of each data set, 0 where unknown."""
    measured: dict[str, tuple[float, float]] = {}
    available = memory(device) / GIB
    total = 0.0
    for name, run in table.items():
        attention = run.model.attention
        try:
            if attention not in measured:
                measured[attention] = step_cost(attention, train, device)
        except torch.OutOfMemoryError:
            measured[attention] = 0.0, math.inf
        seconds, needed = measured[attention]
        steps = images[run.dataset] / (train.identities * train.images)
        total += seconds * steps * train.epochs
        known = f"about {duration(seconds * steps * train.epochs)}" if steps else "unknown time"
        full = f"one step needs more than the {available:.1f} GiB of {device}"
        yield Finding(
            name,
            fine=needed < available,
            found=full if math.isinf(needed) else f"{known}, {needed:.1f} GiB",
            fix="lower train.identities (P) or train.image_size",
        )
    yield Finding("all runs", fine=True, found=f"about {duration(total)} of training")


def step_cost(attention: str, train: TrainParams, device: torch.device) -> tuple[float, float]:
    """Seconds of one training step, and the GiB that it needs of the device's memory."""
    model = ReID(
        backbone=train.backbone,
        attention=attention,
        attention_options=train.attention.options(attention),
        classifier="linear",
        circle=train.circle,
        num_classes=train.identities,
    )
    initialise(model, torch_stream("doctor"))
    on_device(model, device).train()
    share = train.identities * train.images // (train.devices * train.nodes)
    height, width = train.image_size
    size = share if device.type == "cuda" else max(2, min(share, _PIXELS // (height * width)))
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    start = time.perf_counter()
    kept = step(model, train, size, device)
    took = time.perf_counter() - start
    if took < _SLOW:
        start = time.perf_counter()
        for _ in range(_STEPS):
            step(model, train, size, device)
        took = (time.perf_counter() - start) / _STEPS
    seconds = took * share / size
    parameters = _ADAM * sum(weight.numel() for weight in model.parameters())
    if device.type == "cuda":
        return seconds, (torch.cuda.max_memory_allocated(device) + parameters / 2) / GIB
    return seconds, (kept * share / size + parameters) / GIB


def step(model: ReID, train: TrainParams, size: int, device: torch.device) -> int:
    """Forward and backward on grey images; the bytes that the forward pass keeps for the other."""
    batch = torch.zeros(size, 3, *train.image_size, device=device)
    labels = torch.arange(size, device=device) % train.identities
    kept: dict[int, int] = {}

    def noted(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(noted, lambda tensor: tensor):
        with machine.autocast(device, train.precision):
            loss = cross_entropy(model(batch, labels).logits, labels)
        loss.backward()  # type: ignore[no-untyped-call]
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    own = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    return sum(length for place, length in kept.items() if place not in own)


def duration(seconds: float) -> str:
    """Seconds in words of the largest fitting unit."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"

"""Whether this machine can run a profile, how long that would take, and what is missing."""

import platform
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from reidpipe import runtime
from reidpipe.data import layouts, splitting
from reidpipe.data.sources import locating
from reidpipe.data.sources.opening import open_tree
from reidpipe.errors import UserError
from reidpipe.models.initial import initialise
from reidpipe.models.reid import ReID, on_device
from reidpipe.params import (
    ArchiveSource,
    Counts,
    Params,
    ProfileParams,
    Source,
    SyntheticWeights,
    TrainParams,
)
from reidpipe.reporting.experiment import Run, load_runs

GIB = 1 << 30
_NEEDED_DISK = 30 * GIB
_STEPS = 2
_PART = 4
"""A CPU measures a quarter of the batch; the rest is multiplied."""


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report."""

    item: str
    fine: bool
    found: str
    fix: str = ""


def examine(params: Params, root: Path = Path()) -> Iterator[Finding]:
    """Findings on the machine, the data sets, the weights and the runs of the active profile."""
    profile = params.active
    yield from machine(profile, root)
    images: dict[str, int] = {}
    for name, source in profile.data.items():
        finding, images[name] = data_set(name, source, root)
        yield finding
    yield weights(profile)
    yield from runs(load_runs(root / "dvc.yaml", params), profile.train, images)


def machine(profile: ProfileParams, root: Path) -> Iterator[Finding]:
    """Python, torch, device with precision, and free disk."""
    yield Finding("python", fine=True, found=platform.python_version())
    yield Finding(
        "torch", fine=True, found=f"{torch.__version__}, {torch.get_num_threads()} threads"
    )
    try:
        device = runtime.prepare(profile.train.device, profile.train.threads)
    except UserError as error:
        yield Finding("device", fine=False, found=error.what, fix=error.details["fix"])
        return
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    yield Finding("device", fine=True, found=f"{device} ({name}), {profile.train.precision}")
    free = shutil.disk_usage(root).free
    needed = (
        _NEEDED_DISK if any(isinstance(s, ArchiveSource) for s in profile.data.values()) else GIB
    )
    found = f"{free / GIB:.0f} GiB free, {needed / GIB:.0f} GiB needed"
    yield Finding("disk", fine=free > needed, found=found, fix="free some space")


def data_set(name: str, source: Source, root: Path) -> tuple[Finding, int]:
    """Whether a data set is there, with its counts, and how many train images it has."""
    packed = root / f"data/raw/{name}.zip"
    try:
        if not isinstance(source, ArchiveSource):
            if not packed.exists():
                return Finding(name, fine=True, found="synthetic, made by the download stage"), 0
            path = packed
        else:
            path = (
                packed
                if packed.exists()
                else locating.find(source.model_copy(update={"url": None}))
            )
        counts = counted(path, source, root)
    except UserError as error:
        fix = error.details.get("fix", "")
        known = source.counts.train if isinstance(source, ArchiveSource) and source.counts else 0
        return Finding(name, fine=False, found=f"{error.what}: {path_of(error)}", fix=fix), known
    found = ", ".join(f"{subset} {number}" for subset, number in counts.items())
    return Finding(name, fine=True, found=f"{path.name}: {found}"), counts["train"]


def path_of(error: UserError) -> str:
    """Where the error is."""
    return error.details.get("where", "")


def counted(path: Path, source: Source, root: Path) -> dict[str, int]:
    """Images a subset, by the listing alone."""
    expected: Counts | None = source.counts if isinstance(source, ArchiveSource) else None
    with open_tree(path, root) as tree:
        reading = splitting.read_checked(
            layouts.locate(tree, source.layout), source.layout, expected
        )
    return {subset: len(reading.of(subset)) for subset in ("train", "query", "gallery")}


def weights(profile: ProfileParams) -> Finding:
    """Whether the backbone's first weights can be had."""
    source = profile.weights
    if isinstance(source, SyntheticWeights):
        return Finding("weights", fine=True, found="trained in the weights stage")
    path = locating.folder() / source.file
    if path.exists():
        return Finding("weights", fine=True, found=source.file)
    if source.download:
        found = f"{source.file}: torchvision will fetch it (weights.download)"
        return Finding("weights", fine=True, found=found)
    fix = f"put it at {path}, or set weights.download: true"
    return Finding("weights", fine=False, found=f"{source.file} is missing", fix=fix)


def runs(table: dict[str, Run], train: TrainParams, images: dict[str, int]) -> Iterator[Finding]:
    """Estimated hours and memory a run, from a few measured steps of each attention."""
    device = runtime.prepare(train.device, train.threads)
    measured: dict[str, tuple[float, float]] = {}
    total = 0.0
    for name, run in table.items():
        attention = run.model.attention
        if attention not in measured:
            measured[attention] = step_cost(attention, train, device)
        seconds, memory = measured[attention]
        steps = images.get(run.dataset, 0) / (train.identities * train.images)
        estimate = seconds * steps * train.epochs
        total += estimate
        known = f"about {duration(estimate)}" if steps else "unknown time (no data set)"
        yield Finding(name, fine=True, found=f"{known}, {memory:.1f} GiB")
    yield Finding("all runs", fine=True, found=f"about {duration(total)} of training")


def step_cost(attention: str, train: TrainParams, device: torch.device) -> tuple[float, float]:
    """Seconds of one training step, and GiB: of the GPU where there is one, else of the weights."""
    model = ReID(
        backbone=train.backbone,
        attention=attention,
        attention_options=train.attention.options(attention),
        classifier="linear",
        circle=train.circle,
        num_classes=train.identities,
    )
    initialise(model, runtime.torch_stream("doctor"))
    on_device(model, device).train()
    part = _PART if device.type == "cpu" else 1
    size = max(2, train.identities * train.images // part)
    batch = torch.zeros(size, 3, *train.image_size, device=device)
    labels = torch.arange(size, device=device) % train.identities
    half = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(train.precision)
    start = 0.0
    for step in range(1 + _STEPS):
        if step == 1:
            start = time.perf_counter()
        with torch.autocast(device.type, dtype=half, enabled=half is not None):
            loss = cross_entropy(model(batch, labels).logits, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    seconds = (time.perf_counter() - start) / _STEPS * part
    if device.type == "cuda":
        return seconds, torch.cuda.max_memory_allocated(device) / GIB
    # Weights, gradients and Adam's two moments; activations come on top.
    return seconds, 16 * sum(weight.numel() for weight in model.parameters()) / GIB


def duration(seconds: float) -> str:
    """Seconds in words of the largest fitting unit."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"

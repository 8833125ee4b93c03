"""Python, torch, the device with its precision and memory, and the loaders' memory."""

import math
import os
import platform
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch

from reidpipe.commands.doctor.finding import Finding
from reidpipe.formats.params import ProfileParams
from reidpipe.formats.settings.training import Recipe
from reidpipe.images.loading import AHEAD, SHARED_MEMORY
from reidpipe.runtime.settings import Cluster

MIB, GIB = 1 << 20, 1 << 30


def machine(device: torch.device | None, where: Cluster) -> Iterator[Finding]:
    """What the device is; nothing where there is none."""
    threads = f"{torch.get_num_threads()} threads of {os.cpu_count()} cores"
    yield Finding("python", fine=True, found=platform.python_version())
    yield Finding("torch", fine=True, found=f"{torch.__version__}, {threads}")
    if device:
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
        yield Finding("device", fine=True, found=f"{device} ({name}), {where.precision}")
        yield Finding("memory", fine=True, found=f"{memory(device) / GIB:.0f} GiB")


def memory(device: torch.device) -> int:
    """Bytes: the GPU's, or the machine's."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def workers(profile: ProfileParams, recipes: Iterable[Recipe]) -> Iterator[Finding]:
    """Whether the batches that the loaders' workers hold ready fit where they pass them on."""
    ahead = profile.loading.workers * AHEAD
    if not ahead or not Path(SHARED_MEMORY).is_dir():
        return
    extracted = profile.extract.batch_size * profile.extract.devices
    needed = ahead * max(
        3
        * math.prod(recipe.image_size)
        * max(recipe.size(phase) // profile.machine.nodes, extracted)
        for recipe in recipes
        for phase in recipe.phases
    )
    free = shutil.disk_usage(SHARED_MEMORY).free
    yield Finding(
        "workers",
        fine=free > needed,
        found=f"{free / MIB:.0f} MiB free in {SHARED_MEMORY}, {needed / MIB:.0f} MiB needed",
        fix="enlarge it (docker run --shm-size=4g), or lower loading.workers of the profile",
    )

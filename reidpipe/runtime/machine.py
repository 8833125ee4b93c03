"""The machine under a stage: device, threads, instructions, memory."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import TypeVar

import torch
from torch import nn

from reidpipe.errors import UserError

# What each library may use of a CPU, read when it first computes.
AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "COMPATIBLE"}
# Options of glibc's mallopt: its header's numbers, and what they are set to.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = (-1, 2**31 - 1), (-4, 0)
Model = TypeVar("Model", bound=nn.Module)
_HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}


def prepare(device: str, threads: int | None, instructions: str = "native") -> torch.device:
    """Choose the device, fix the threads (they change float sums), demand deterministic kernels.

    To be called before torch computes anything, for the sake of `pin`.

    Raises:
        UserError: `device` is none of auto, cpu, cuda, cuda:N, or not on this machine; or `pin`
            raises it.
    """
    pin(instructions)
    # cuBLAS is only deterministic with a fixed workspace, read when it starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # As torch.use_deterministic_algorithms, which loads the compiler as well: more than a second.
    torch.set_deterministic_debug_mode("error")
    torch.backends.cudnn.benchmark = False
    # Convolutions in float32 are meant to be that; by default GPUs round their inputs to 10 bits.
    torch.backends.cudnn.allow_tf32 = False
    # Gradients have many numbers below 1e-38; training is a tenth faster without them.
    torch.set_flush_denormal(True)
    # It would also fill every new tensor with NaN, to show who reads before writing.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    keep_freed_memory()
    if threads is not None:
        torch.set_num_threads(threads)
    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    found = ["cpu"] + [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if chosen not in found and not (chosen == "cuda" and len(found) > 1):
        raise UserError(
            "no such device",
            where="params.yaml: device",
            expected=f"auto or one of {', '.join(found)}",
            found=device,
            fix="-S PROFILE.train.device=auto takes a GPU where there is one",
        )
    return torch.device(chosen)


def pin(instructions: str) -> None:
    """Keep this process, and those that it starts, to `instructions` of the CPU.

    avx2 keeps a newer CPU to the kernels of an older one, for float sums are other ones with wider
    registers; a CPU that lacks them is told of, once. native asks for nothing: what the environment
    or an earlier call has set stays.

    Raises:
        UserError: torch has computed before with other ones, which it never changes.
    """
    if instructions == "native":
        return
    # By cpuid: torch would take the variable's word for it, and die of an illegal instruction.
    if not torch.cpu._is_avx2_supported():  # noqa: SLF001
        _warn_of_other_bytes()
        return
    os.environ.update(AVX2)
    found = torch.backends.cpu.get_cpu_capability()  # fixed now, if no operation has done so
    if found != "AVX2":
        raise UserError(
            "the instructions of the CPU are set too late",
            where="params.yaml: instructions",
            expected="AVX2, set before torch computes anything",
            found=f"{found}, which torch took when this process first computed",
            fix=f"export {' '.join(f'{name}={value}' for name, value in AVX2.items())}, "
            "run it again; if it is one of reidpipe's own commands, that is a mistake in it",
        )


@cache
def _warn_of_other_bytes() -> None:
    told = "warning: this CPU has no AVX2: results will differ in their bytes (instructions: avx2)"
    print(told, file=sys.stderr)  # noqa: T201


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """The context of a forward pass in fp32, bf16 or fp16."""
    half = _HALF.get(precision)
    return torch.autocast(device.type, dtype=half, enabled=half is not None)


def in_full(device: torch.device) -> AbstractContextManager[object]:
    """The context in which tensors keep their precision, whatever the pass around it has."""
    # Shapes alone are counted on `meta`, which has no precisions.
    return nullcontext() if device.type == "meta" else torch.autocast(device.type, enabled=False)


def single(kind: torch.dtype) -> torch.dtype:
    """`kind`, or float32 where that is less: of what half precision would spoil."""
    return torch.promote_types(kind, torch.float32)


def on_device(model: Model, device: torch.device) -> Model:
    """Move a network in place; channels last is the layout that convolutions are fastest in."""
    moved: Model = nn.Module.to(model, device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return moved


@contextmanager
def memory_explained(device: torch.device, work: str, fix: str) -> Iterator[None]:
    """Say what to lower when `work` does not fit into the GPU."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise UserError("the GPU's memory is full", where=device, found=work, fix=fix) from None


def keep_freed_memory() -> None:
    """Have glibc keep the memory of large tensors for the next ones.

    It would return it to the system and ask for it again in every step, and each page that comes
    anew is a fault and is cleared: a tenth of a training step, a third with dual attention
    (benchmarks/memory.py). Other C libraries are left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        for option, value in (_M_TRIM_THRESHOLD, _M_MMAP_MAX):
            mallopt(option, value)

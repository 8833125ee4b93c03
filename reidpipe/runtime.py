"""The machine under a stage: device, threads, random streams."""

import hashlib
import os

import numpy as np
import torch

from reidpipe.errors import UserError

# What each library may use of a CPU, read when it first computes.
_AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "COMPATIBLE"}


def prepare(device: str, threads: int | None, instructions: str = "native") -> torch.device:
    """Choose the device, fix the threads (they change float sums), demand deterministic kernels.

    To be called before torch computes anything: `instructions` avx2 keeps a newer CPU to the
    kernels of an older one, for float sums are other ones with wider registers.

    Raises:
        UserError: `device` is none of auto, cpu, cuda, cuda:N, or not on this machine.
    """
    if instructions == "avx2":
        os.environ.update(_AVX2)
    # cuBLAS is only deterministic with a fixed workspace, read when it starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # As torch.use_deterministic_algorithms, which loads the compiler as well: more than a second.
    torch.set_deterministic_debug_mode("error")
    torch.backends.cudnn.benchmark = False
    # Gradients have many numbers below 1e-38; training is a tenth faster without them.
    torch.set_flush_denormal(True)
    # It would also fill every new tensor with NaN, to show who reads before writing.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
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


def stream(*key: int | str) -> np.random.Generator:
    """A random stream of its own for each `key`, equal on every machine and in every process.

    No draw comes from a global stream: the key (seed, purpose, epoch, index) alone decides it.
    """
    text = "/".join(str(part) for part in key)
    words = np.frombuffer(hashlib.sha256(text.encode()).digest(), dtype="<u8")
    return np.random.Generator(np.random.Philox(key=words[:2]))


def torch_stream(*key: int | str) -> torch.Generator:
    """The same idea as a torch generator, for weights."""
    return torch.Generator().manual_seed(int(stream(*key).integers(2**63)))

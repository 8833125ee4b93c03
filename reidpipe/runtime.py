"""The machine under a stage: device, threads, random streams."""

import hashlib
import os

import numpy as np
import torch

from reidpipe.errors import UserError


def prepare(device: str, threads: int | None) -> torch.device:
    """Choose the device, fix the threads (they change float sums), demand deterministic kernels.

    Raises:
        UserError: `device` is none of auto, cpu, cuda, cuda:N, or not on this machine.
    """
    # cuBLAS is only deterministic with a fixed workspace, read when it starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(mode=True)
    torch.backends.cudnn.benchmark = False
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

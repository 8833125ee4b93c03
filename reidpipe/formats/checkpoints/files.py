"""Files of tensors by name: torch's, safetensors', ONNX'. No code of a file is run."""

import pickle
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from reidpipe.errors import UserError

INSIDE = ("state_dict", "model", "model_state_dict", "net", "weights")
"""Under which of its keys a checkpoint has the network's tensors."""
# Beside them torchreid stores scores, which are numpy's numbers: plain data.
_NUMBERS: list[Any] = [
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("float32", "float64", "int64")),
    (np.float64(0).__reduce__()[0], "numpy.core.multiarray.scalar"),
    (np.float64(0).__reduce__()[0], "numpy._core.multiarray.scalar"),
]


def read(path: Path) -> dict[str, Tensor]:
    """Tensors by name, as the file names them, on the CPU.

    Raises:
        UserError: the file is none of these, damaged, of objects other than tensors, or there is no
            such file.
    """
    if not path.is_file():
        raise UserError("a weights file is missing", where=path)
    found = _READERS.get(path.suffix.lower(), _torch)(path)
    wrong = sorted(
        str(name)
        for name, value in found.items()
        if not isinstance(name, str) or not isinstance(value, Tensor)
    )
    if wrong or not found:
        raise UserError(
            "not a state dict",
            where=path,
            expected="tensors by name",
            found=", ".join(wrong[:10]) or "nothing",
            fix="save network.state_dict()",
        )
    odd = sorted(name for name, value in found.items() if not _is_usable(name, value))
    if odd:
        raise UserError(
            "tensors that are no weights",
            where=path,
            expected="finite floats, dense; of whole numbers counters alone",
            found=", ".join(odd[:10]),
        )
    return dict(found)


def _is_usable(name: str, value: Tensor) -> bool:
    if value.layout != torch.strided:
        return False
    if value.is_floating_point():
        return bool(value.isfinite().all())
    return value.dim() == 0 or not name.endswith(("weight", "bias", "mean", "var"))


def _torch(path: Path) -> Mapping[str, Tensor]:
    try:
        with torch.serialization.safe_globals(_NUMBERS):
            found = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        lines = str(error).splitlines()
        raise UserError(
            "not a weights file of torch",
            where=path,
            expected="tensors by name, as torch.save(network.state_dict(), FILE) writes them",
            found=lines[0] if lines else type(error).__name__,
        ) from None
    if not isinstance(found, dict):
        raise UserError(
            "not a state dict",
            where=path,
            expected="tensors by name",
            found=type(found).__name__,
            fix="save network.state_dict()",
        )
    inside = next((found[key] for key in INSIDE if isinstance(found.get(key), dict)), found)
    return dict(inside)


def _safetensors(path: Path) -> Mapping[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError("not a safetensors file", where=path, found=error) from None


def _onnx(path: Path) -> Mapping[str, Tensor]:
    """The graph's initialisers, named as in torch unless norms were folded into them."""
    if find_spec("onnx") is None:
        raise UserError(
            "to read ONNX needs a library that is not installed",
            expected="onnx",
            fix="pip install '.[onnx]' in the folder of reidpipe",
        )
    import onnx  # noqa: PLC0415 - an optional extra
    from google.protobuf.message import DecodeError  # noqa: PLC0415 - comes with it

    try:
        graph = onnx.load(path, load_external_data=False).graph
        return {
            tensor.name: torch.from_numpy(onnx.numpy_helper.to_array(tensor).copy())
            for tensor in graph.initializer
        }
    except (DecodeError, ValueError, TypeError, OSError, RuntimeError) as error:
        raise UserError("not an ONNX file that can be read", where=path, found=error) from None


_READERS: dict[str, Callable[[Path], Mapping[str, Tensor]]] = {
    ".safetensors": _safetensors,
    ".onnx": _onnx,
}

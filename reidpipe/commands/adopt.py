"""A network that other people trained, as a model file of ours: docs/foreign.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from reidpipe.errors import UserError
from reidpipe.files import check_writable, digest
from reidpipe.formats import weights
from reidpipe.formats.checkpoints import files
from reidpipe.formats.checkpoints.renaming import CODE_BASES, Renamed, renamed
from reidpipe.images.transforms import MEAN, STD
from reidpipe.layers.resnet import CEIL
from reidpipe.layers.trunks import load
from reidpipe.runtime.settings import OURS
from reidpipe.systems import network
from reidpipe.training.architectures import COUNTERS, whole

PIXELS = {"pixel_mean": MEAN, "pixel_std": STD}
"""What FastReID normalises by, in its files times 255."""
HEAD, NECK, HIDDEN = "head.weight", "neck.weight", "hidden.0.weight"


class Choices(NamedTuple):
    """What no tensor tells; None: as the code base has it."""

    last_stride: int | None = None
    ceil: bool | None = None


AS_THEIRS = Choices()


@dataclass(frozen=True)
class Adopted:
    """What became of a file."""

    base: str
    system: str
    trunk: str
    people: int | None
    """Whom the classifier knows; None where the file has none, which no search needs."""
    width: int
    fitting: int
    left: tuple[str, ...]
    """Of the file's tensors those that no descriptor needs."""


def adopt(
    path: Path, out: Path, *, image_size: tuple[int, int], choices: Choices = AS_THEIRS
) -> Adopted:
    """Write the network of a checkpoint to `out`; it embeds as where it comes from.

    Args:
        path: torch's, safetensors' or an ONNX file, of a code base that is known.
        out: the model file.
        image_size: height, width in pixels, as the network was trained; no file tells.
        choices: what else no file tells.

    Raises:
        UserError: the file cannot be read, or holds a network that we do not have.
    """
    check_writable(out)
    found = _of_known(path, files.read(path))
    _check_left(path, found)
    trunk = whole(found.trunk, path)
    system, options = _described(found, trunk, choices, path)
    people = len(found.tensors[HEAD]) if HEAD in found.tensors else None
    model = network(system)(people or 1, **options)
    state = model.state_dict()
    # What a file may lack: counters that nothing reads, and a classifier.
    absent = {name: torch.zeros_like(value) for name, value in state.items() if _may_lack(name)}
    tensors = {name: value.to(torch.float32) for name, value in found.tensors.items()}
    try:
        load(model, {**absent, **tensors}, state, f"{system} of {trunk}")
    except UserError as error:
        kept = {name: error.details[name] for name in ("expected", "found")}
        raise UserError(f"not a whole network of {found.base.name}", where=path, **kept) from None
    about = {**model.about(), "image_size": image_size, "run": out.stem}
    adopted = {"from": path.name, "sha256": digest(path), "names": found.base.name}
    weights.save(out, model.state_dict(), {**about, "adopted": adopted})
    return Adopted(
        base=found.base.name,
        system=system,
        trunk=trunk,
        people=people,
        width=model.width,
        fitting=len(found.tensors),
        left=tuple(sorted(found.unused)),
    )


def _of_known(path: Path, tensors: Mapping[str, Tensor]) -> Renamed:
    found = renamed(tensors)
    if found is None:
        names = ", ".join(sorted(tensors)[:6])
        raise UserError(
            "tensors by names of no code base that is known",
            where=path,
            expected=f"those of {', '.join(base.name for base in CODE_BASES)}",
            found=f"{len(tensors)} tensors: {names}, ...",
            fix="of an ONNX file whose batch norms are folded into its convolutions the names are "
            "lost: adopt the checkpoint that it was made of"
            if path.suffix == ".onnx"
            else "",
        )
    return found


def _check_left(path: Path, found: Renamed) -> None:
    """Refuse what would change the answers and has no place here."""
    if found.left:
        names = sorted(found.left)
        hint = " (of a GeM pooling)" if any("pool_layer" in name for name in names) else ""
        raise UserError(
            f"a network of {found.base.name} with parts that are not known here",
            where=path,
            expected="average pooling, and at most a batch norm or a hidden layer behind it",
            found=", ".join(names[:10]) + hint,
            fix="a run can start from its trunk: source: file, in the weights of the profile",
        )
    for name, usual in PIXELS.items():
        if name in found.unused:
            given = found.unused[name].flatten().double() / 255
            if not np.allclose(given.numpy(), usual, atol=1e-3):
                raise UserError(
                    "the network has its pixels normalised otherwise",
                    where=f"{path}: {name}",
                    expected=f"ImageNet's {usual}, times 255",
                    found=given.tolist(),
                )


def _described(
    found: Renamed, trunk: str, choices: Choices, path: Path
) -> tuple[str, dict[str, Any]]:
    """The system that such a network is, and the options that make it."""
    base, tensors = found.base, found.tensors
    if trunk.startswith("osnet"):
        return "osnet", {"multiplier": float(trunk.removeprefix("osnet_x"))}
    ceil = base.ceil if choices.ceil is None else choices.ceil
    backbone = trunk + CEIL if ceil else trunk
    stride = choices.last_stride or (1 if HIDDEN in tensors else base.last_stride)
    if NECK not in tensors:
        hidden = len(tensors[HIDDEN]) if HIDDEN in tensors else 0
        return "ide", {"backbone": backbone, "last_stride": stride, "hidden": hidden}
    if stride != 1:
        raise UserError(
            "a network with a batch norm behind the pooling has a last stride of 1 here",
            where=path,
            found=f"--last-stride {stride}",
        )
    plain = {"attention": "none", "classifier": "linear", "triplet": False}
    return OURS, {"backbone": backbone, **plain}


def _may_lack(name: str) -> bool:
    return name.startswith("head.") or name.endswith(COUNTERS)

"""A trained network from its file: the one that the file says, whole, or an explanation."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from reidpipe.errors import UserError
from reidpipe.formats import weights as checkpoint
from reidpipe.runtime.settings import OURS
from reidpipe.systems import System, network

_LINES = 5
"""torch names every tensor that does not fit; a few tell the story."""


class Trained(NamedTuple):
    """A network on the CPU in evaluation mode, and what its file says beside."""

    model: System
    image_size: tuple[int, int]
    """Height, width in pixels."""
    run: str


def load(path: Path) -> Trained:
    """Build the network that the file `path` describes and fill it with the file's tensors.

    Raises:
        UserError: there is no such file, it is none of ours, or one of other code.
    """
    tensors, about = checkpoint.load(path)
    try:
        # The files of Ours are older than the word.
        model = network(about.get("system", OURS)).from_about(about)
        model.load_state_dict(tensors)
        return Trained(model.eval(), _size(about["image_size"]), str(about["run"]))
    except (LookupError, TypeError, ValueError, RuntimeError, ImportError) as error:
        lines = f"{type(error).__name__}: {error}".splitlines()
        raise UserError(
            "a model file does not fit this code",
            where=path,
            found="\n".join(lines[:_LINES] + ["..."] * (len(lines) > _LINES)),
            fix="train the run again (dvc repro), or take the code that it was trained with",
        ) from None


def is_model(path: Path) -> bool:
    """Whether `path` is a file that `load` may read, by its name and its beginning alone."""
    if path.suffix != ".safetensors" or not path.is_file():
        return False
    try:
        return "num_classes" in checkpoint.about(path)
    except UserError:
        return False


def _size(pixels: Sequence[int]) -> tuple[int, int]:
    height, width = pixels
    if min(height, width) <= 0:
        raise ValueError(f"image_size {height}x{width}")
    return height, width

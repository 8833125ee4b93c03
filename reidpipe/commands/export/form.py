"""In which form a model is exported, and the document that tells its user so."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from reidpipe.commands.export.embedder import Input
from reidpipe.images.transforms import MEAN, STD
from reidpipe.runtime.settings import Metric
from reidpipe.systems.trained import Trained

Target = Literal["onnx", "openvino", "pt2"]
SUFFIXES: Mapping[str, Target] = {".onnx": "onnx", ".xml": "openvino", ".pt2": "pt2"}
KEY = "reidpipe"
"""Under which the document stands in a file's metadata."""
VALUES = {
    "uint8": "0 to 255; normalised inside",
    "pixels": "0 to 255; normalised inside",
    "float": f"(value / 255 - mean) / deviation, mean {MEAN}, deviation {STD}: normalised outside",
}
RATE = "1e-3"
"""Share of pairs of two people that are nearer than the threshold."""


@dataclass(frozen=True)
class Form:
    """What a user asks for."""

    target: Target
    input: Input = "uint8"
    batch: int = 0
    """Images of a call; 0: any number."""
    half: bool = False
    """In half precision, but for what goes in and comes out."""
    unit: bool = False
    """Embeddings have a norm of 1."""

    @property
    def half_by(self) -> str:
        """Who makes it half."""
        kinds = {
            "onnx": "float16 graph",
            "openvino": "float16 weights; the device chooses what it computes in",
            "pt2": "float32 weights; float16 by torch.autocast around the call",
        }
        return kinds[self.target] if self.half else "float32"


def document(
    trained: Trained, form: Form, *, metric: Metric, flip: bool, threshold: float | None
) -> dict[str, Any]:
    """What goes in, what comes out, how two are compared: the same in the file and beside it."""
    size: str | int = form.batch or "batch"
    height, width = trained.image_size
    kind = "uint8" if form.input == "uint8" else "float32"
    return {
        **trained.model.about(),
        "run": trained.run,
        "image_size": [height, width],
        "input": {
            "name": "images",
            "type": kind,
            "shape": [size, 3, height, width],
            "channels": "RGB",
            "values": VALUES[form.input],
            "resized": "bicubically (Pillow's BICUBIC), without keeping the aspect",
        },
        "output": {
            "name": "embedding",
            "type": "float32",
            "shape": [size, trained.model.width],
            "unit": form.unit,
        },
        "metric": metric,
        "threshold": None
        if threshold is None
        else {"distance": threshold, "false_positive_rate": float(RATE)},
        "flip": flip,
        "precision": form.half_by,
    }


def text(about: Mapping[str, Any]) -> str:
    """As it stands in a file's metadata."""
    return json.dumps(about, sort_keys=True)

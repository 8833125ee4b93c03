"""A run as the train stage leaves it, with random weights, and photographs to try it on."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from reidpipe import checkpoint
from reidpipe.models.initial import initialise, torch_stream
from reidpipe.models.reid import ReID
from reidpipe.params import CircleParams, load
from reidpipe.runtime.streams import stream

ROOT = Path(__file__).parents[1]
SIZE = (32, 16)


def trained(path: Path, attention: str = "none") -> None:
    """Write a model of 32 x 16 pixels."""
    model = ReID(
        backbone="resnet18",
        attention=attention,
        attention_options=load(ROOT / "params.yaml").embedded.train.attention.options(attention),
        classifier="linear",
        circle=CircleParams(),
        num_classes=3,
    )
    initialise(model, torch_stream(0, "weights"))
    about = {**model.about(), "image_size": SIZE, "run": path.parent.name}
    checkpoint.save(path, model.state_dict(), about)


def photograph(number: int) -> bytes:
    """A PNG of noise around a colour of its own, larger than what the model sees."""
    colour = stream("colour", number).integers(0, 200, 3)
    noise = stream("noise", number).integers(0, 56, (50, 21, 3))
    buffer = io.BytesIO()
    Image.fromarray((colour + noise).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()

"""A run as the train stage leaves it, with random weights, and photographs to try it on."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from reidpipe.formats import weights as checkpoint
from reidpipe.layers.initial import initialise, torch_stream
from reidpipe.runtime.streams import stream
from reidpipe.systems.ours import Network

ROOT = Path(__file__).parents[1]
SIZE = (32, 16)


def trained(path: Path, attention: str = "none") -> None:
    """Write a model of 32 x 16 pixels."""
    model = Network(3, attention=attention, classifier="linear", triplet=False, backbone="resnet18")
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

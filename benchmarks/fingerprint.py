"""Whether this CPU computes the bytes that others did: a hash of what each kernel gives.

    python benchmarks/fingerprint.py

Prints two JSON lines: the machine, then for each kernel that training and evaluation use the first
digits of the sha256 of its output, and of all of them as `all`. Instructions and threads are those
of the embedded profile, as are the sizes. Two machines with equal lines train equal models;
docs/reproducibility.md has the lines of those that were met. The processor's numbers are those that
Linux tells, which under an emulator are the host's.
"""

import hashlib
import io
import json
import platform
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from reidpipe.formats.pictures import decode
from reidpipe.images.transforms import normalise
from reidpipe.layers.initial import torch_stream
from reidpipe.losses.triplet import batch_hard
from reidpipe.metrics.distance import Distances, prepare_
from reidpipe.runtime import machine
from reidpipe.runtime.settings import Metric
from reidpipe.runtime.streams import stream

BATCH, WIDTH, CLASSES, GALLERY = 64, 256, 64, 600
# Of the embedded network: channels in and out, kernel, stride, height and width of the input.
CONVOLUTIONS = {
    "conv7-stride2": (3, 32, 7, 2, 64, 32),
    "conv3": (32, 32, 3, 1, 16, 8),
    "conv3-stride2": (32, 64, 3, 2, 16, 8),
    "conv3-wide": (256, 256, 3, 1, 4, 2),
    "conv1": (128, 256, 1, 1, 4, 2),
    "conv1-stride2": (32, 64, 1, 2, 16, 8),
}
METRICS: tuple[Metric, ...] = ("cosine", "euclidean")
CPU = ("vendor_id", "cpu family", "model", "stepping")
_DIGITS = 16


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGITS]


def drawn(*key: int | str, size: tuple[int, ...]) -> Tensor:
    """Standard normal float32, from numpy: torch's own are among what is looked at."""
    return torch.from_numpy(stream("fingerprint", *key).standard_normal(size).astype(np.float32))


def differentiated(name: str, out: Tensor, **inputs: Tensor) -> Iterator[tuple[str, Tensor]]:
    """`out`, and the gradient of its sum with weights in each of `inputs`."""
    yield name, out.detach()
    weights = drawn(name, "weights", size=tuple(out.shape))
    gradients = torch.autograd.grad(out, list(inputs.values()), weights)
    for kind, gradient in zip(inputs, gradients, strict=True):
        yield f"{name}-{kind}-gradient", gradient


def convolutions() -> Iterator[tuple[str, Tensor]]:
    for name, (channels, out, kernel, stride, height, width) in CONVOLUTIONS.items():
        images = drawn(name, "images", size=(BATCH, channels, height, width))
        weight = drawn(name, "weight", size=(out, channels, kernel, kernel))
        images, weight = (
            tensor.contiguous(memory_format=torch.channels_last).requires_grad_()
            for tensor in (images, weight)
        )
        convolved = F.conv2d(images, weight, stride=stride, padding=kernel // 2)
        yield from differentiated(name, convolved, data=images, weight=weight)


def layers() -> Iterator[tuple[str, Tensor]]:
    images = drawn("images", size=(BATCH, 32, 16, 8))
    images = images.contiguous(memory_format=torch.channels_last).requires_grad_()
    scale, shift = (drawn(name, size=(32,)).requires_grad_() for name in ("scale", "shift"))
    normed = F.batch_norm(images, None, None, scale, shift, training=True)
    yield from differentiated("batch-norm", normed, data=images, scale=scale, shift=shift)
    yield from differentiated("mean", images.mean((2, 3)), data=images)
    yield from differentiated("sigmoid", images.sigmoid(), data=images)
    feature = drawn("feature", size=(BATCH, WIDTH)).requires_grad_()
    weight = drawn("weight", size=(CLASSES, WIDTH)).requires_grad_()
    yield from differentiated("product", F.linear(feature, weight), data=feature, weight=weight)
    yield from differentiated("unit-length", F.normalize(feature), data=feature)


def training() -> Iterator[tuple[str, Tensor]]:
    labels = torch.arange(BATCH) // 4
    logits = drawn("logits", size=(BATCH, CLASSES)).requires_grad_()
    loss = F.cross_entropy(logits, labels, label_smoothing=0.1)
    yield from differentiated("cross-entropy", loss, data=logits)
    feature = drawn("feature", size=(BATCH, WIDTH)).requires_grad_()
    yield "cdist", torch.cdist(feature, feature, compute_mode="donot_use_mm_for_euclid_dist")
    loss = batch_hard(feature, labels, margin=0.3)
    yield from differentiated("triplet", loss, data=feature)
    weight = drawn("weight", size=(CLASSES, WIDTH)).requires_grad_()
    optimiser = torch.optim.Adam([weight], lr=3e-3, weight_decay=5e-4, fused=True)
    for step in range(3):
        weight.grad = drawn("step", step, size=(CLASSES, WIDTH))
        optimiser.step()
    yield "adam", weight.detach()
    yield "denormals", drawn("denormals", size=(BATCH, WIDTH)) * 1e-30 * 1e-9
    random = torch_stream("fingerprint")
    yield "normal", torch.empty(CLASSES, WIDTH).normal_(generator=random)
    yield "uniform", torch.empty(CLASSES, WIDTH).uniform_(generator=random)


def distances() -> Iterator[tuple[str, Tensor]]:
    for metric in METRICS:
        query = prepare_(drawn("query", size=(BATCH, WIDTH)), metric, "query")
        gallery = prepare_(drawn("gallery", size=(GALLERY, WIDTH)), metric, "gallery")
        measured = Distances(query, gallery, metric)
        ((_, block),) = measured.blocks(measured.firsts)
        yield f"distance-{metric}", block


def pictures() -> Iterator[tuple[str, bytes]]:
    """A photograph of soft noise as JPEG, as pixels, resized and normalised."""
    noise = stream("fingerprint", "picture").integers(0, 256, (16, 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).resize((64, 128), Image.Resampling.BICUBIC).save(buffer, "JPEG")
    yield "jpeg-written", buffer.getvalue()
    image = decode(buffer.getvalue())
    yield "jpeg-read", image.tobytes()
    small = np.asarray(image.resize((32, 64), Image.Resampling.BICUBIC))
    yield "resized", small.tobytes()
    pixels = torch.from_numpy(small.transpose(2, 0, 1)[None].copy())
    yield "normalised", normalise(pixels).numpy().tobytes()


def fingerprint() -> dict[str, str]:
    """Kernels and their hashes."""
    parts = (convolutions(), layers(), training(), distances())
    found = {
        name: digest(tensor.detach().numpy().tobytes()) for part in parts for name, tensor in part
    }
    found |= {name: digest(content) for name, content in pictures()}
    return found | {"all": digest(json.dumps(found, sort_keys=True).encode())}


def processor() -> dict[str, str]:
    """What Linux says of the first core."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    told = {
        name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    return {name: told[name] for name in CPU if name in told}


def main() -> None:
    machine.prepare("cpu", 2, "avx2")
    about = {"architecture": platform.machine(), **processor()}
    about |= {"capability": torch.backends.cpu.get_cpu_capability(), "torch": torch.__version__}
    print(json.dumps({"benchmark": "fingerprint-machine", **about}))
    print(json.dumps({"benchmark": "fingerprint", **fingerprint()}))


if __name__ == "__main__":
    main()

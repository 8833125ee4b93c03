"""A trained model as ONNX, which is written only if it agrees with torch on real images.

The graph takes uint8 RGB images [batch, 3, H, W], bicubically resized as `Images` does, and gives
the embeddings [batch, D] that the extract stage writes; what normalises the pixels is inside it.
"""

import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from reidpipe.errors import UserError
from reidpipe.files import replacing
from reidpipe.formats import manifest as records
from reidpipe.formats.settings.extraction import ExtractParams
from reidpipe.images.images import Images
from reidpipe.images.transforms import normalise
from reidpipe.runtime import machine
from reidpipe.runtime.machine import on_device
from reidpipe.systems.ours import Network
from reidpipe.systems.trained import Trained, load

LIBRARIES = ("onnx", "onnxruntime", "onnxscript")
QUERIES, GALLERY = 32, 256
"""At most so many images are compared, evenly taken from the data set."""
EMBEDDING_TOLERANCE = 1e-4
"""Of the largest number of an embedding: some hundred times what float32 rounds."""
RANKING_TOLERANCE = 1e-5
"""In cosine distance: images this near to each other may change places."""


class Embedder(nn.Module):
    """Pixels to embeddings: what is exported."""

    def __init__(self, model: Network) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model.embed(normalise(images))


@dataclass(frozen=True)
class Agreement:
    """How near two ways to embed the same images are."""

    queries: int
    gallery: int
    embedding: float
    """Largest difference, relative to the largest number."""
    ranking: float
    """Largest distance by which an image stands too far up; 0 where all lists are the same."""
    same: int
    """How many queries have the same list in every place."""

    @property
    def fine(self) -> bool:
        return self.embedding <= EMBEDDING_TOLERANCE and self.ranking <= RANKING_TOLERANCE

    def __str__(self) -> str:
        return (
            f"embeddings differ by {self.embedding:.1e} of the largest number at most; "
            f"{self.same} of {self.queries} lists of {self.gallery} images are the same, "
            f"none is out of order by more than {self.ranking:.1e}"
        )


def export(
    model_file: Path, archive: Path, manifest: Path, params: ExtractParams, out: Path
) -> Agreement:
    """Write the model to `out`, checked on queries and gallery images of its data set.

    Raises:
        UserError: a library is missing, an input cannot be read, or ONNX disagrees with torch; then
            nothing is written.
    """
    _check_libraries()
    device = machine.prepare("cpu", params.threads, params.instructions)
    trained = load(model_file)
    images, queries = _sample(archive, manifest, trained.image_size)
    embedder = Embedder(on_device(trained.model, device)).eval()
    with replacing(out) as temporary:
        _write(temporary, embedder, images, trained)
        with torch.inference_mode():
            expected = embedder(images)
        found = agreement(expected, _embedded(temporary, images), queries)
        if not found.fine:
            raise UserError("the ONNX model disagrees with torch", where=model_file, found=found)
    return found


def _check_libraries() -> None:
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        raise UserError(
            "ONNX export needs libraries that are not installed",
            expected=", ".join(LIBRARIES),
            found=f"no {', '.join(missing)}",
            fix="pip install '.[onnx]' in the folder of reidpipe",
        )


def _sample(archive: Path, manifest: Path, size: tuple[int, int]) -> tuple[Tensor, int]:
    """Images uint8 [N, 3, H, W], the queries first, and how many these are."""
    table = records.read(manifest)
    members: list[str] = []
    counts = []
    for subset, most in (("query", QUERIES), ("gallery", GALLERY)):
        own = table.loc[table["subset"] == subset, "member"].tolist()
        places = np.linspace(0, len(own) - 1, min(most, len(own))).round().astype(int)
        members += [own[place] for place in places]
        counts.append(len(places))
    images = Images(archive, members, size, cache_mb=0)
    return images.take(range(len(members))), counts[0]


def _write(path: Path, embedder: Embedder, images: Tensor, trained: Trained) -> None:
    exported = torch.onnx.export(
        embedder,
        (images[:2],),  # torch takes a size of 1 for a constant
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        input_names=["images"],
        output_names=["embedding"],
        verbose=False,
    )
    program = cast("torch.onnx.ONNXProgram", exported)
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()  # where in whose folders the code was
    about = {**trained.model.about(), "image_size": trained.image_size, "run": trained.run}
    program.model.metadata_props["reidpipe"] = json.dumps(about, sort_keys=True)
    program.save(path, external_data=False)


def _embedded(path: Path, images: Tensor) -> Tensor:
    import onnxruntime  # noqa: PLC0415 - an optional extra

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (embedding,) = session.run(["embedding"], {"images": images.numpy()})
    return torch.from_numpy(embedding)


def agreement(ours: Tensor, theirs: Tensor, queries: int) -> Agreement:
    """Compare embeddings [N, D] of the same images, the first `queries` of them against the rest.

    Walking along the list of `theirs`, the distances of `ours` must never fall by more than the
    rounding: so equal and nearly equal images may change places, and nothing else.
    """
    distance, other = _distances(ours, queries), _distances(theirs, queries)
    order = other.sort(dim=1, stable=True).indices
    walked = distance.gather(1, order)
    fall = (walked.cummax(dim=1).values - walked).max()
    same = (order == distance.sort(dim=1, stable=True).indices).all(dim=1).sum()
    relative = (ours - theirs).abs().max() / ours.abs().max()
    return Agreement(queries, len(ours) - queries, float(relative), float(fall), int(same))


def _distances(embedding: Tensor, queries: int) -> Tensor:
    """Cosine distances [Q, G] in float64."""
    unit = nn.functional.normalize(embedding.double())
    return 1 - unit[:queries] @ unit[queries:].T

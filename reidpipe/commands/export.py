"""A trained model as ONNX, which is written only if it gives what the extract stage wrote.

docs/onnx.md says what goes in and comes out.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from reidpipe.errors import UserError
from reidpipe.files import check_writable, replacing
from reidpipe.formats import features as features_file
from reidpipe.formats import manifest as records
from reidpipe.formats.settings.extraction import ExtractParams
from reidpipe.images.images import Images
from reidpipe.images.transforms import normalise
from reidpipe.runtime import machine
from reidpipe.runtime.settings import Metric, Precision
from reidpipe.systems import System
from reidpipe.systems.trained import load

LIBRARIES = ("onnx", "onnxruntime", "onnxscript")
QUERIES, GALLERY = 32, 256
"""At most so many images are compared, evenly taken from the data set."""
EMBEDDING_TOLERANCE = {"fp32": 1e-4, "fp16": 1e-2, "bf16": 1e-1}
"""Of the largest number of an embedding, by the precision of extraction; ONNX has float32."""
RANKING_TOLERANCE = {"fp32": 1e-5, "fp16": 1e-3, "bf16": 1e-2}
"""Of the largest distance (of two, the cosine's): images this near may change places."""
INPUT = "uint8 RGB [batch, 3, H, W], resized bicubically to image_size, not normalised"
OUTPUT = "float32 [batch, D], not normalised"


class Embedder(nn.Module):
    """Pixels to embeddings: what is exported."""

    def __init__(self, model: System, *, flip: bool) -> None:
        super().__init__()
        self.model, self.flip = model, flip

    def forward(self, images: Tensor) -> Tensor:
        pixels = normalise(images)
        embedding = self.model.embed(pixels)
        return (embedding + self.model.embed(pixels.flip(3))) / 2 if self.flip else embedding


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

    def fine(self, precision: Precision = "fp32") -> bool:
        """Whether rounding explains it."""
        near = self.embedding <= EMBEDDING_TOLERANCE[precision]
        return near and self.ranking <= RANKING_TOLERANCE[precision]

    def __str__(self) -> str:
        return (
            f"embeddings differ by {self.embedding:.1e} of the largest number at most; "
            f"{self.same} of {self.queries} lists of {self.gallery} images are the same, "
            f"none is out of order by more than {self.ranking:.1e}"
        )


def export(
    model_file: Path,
    archive: Path,
    manifest: Path,
    *,
    features: Path,
    params: ExtractParams,
    metric: Metric | None,
    out: Path,
) -> Agreement:
    """Write the model to `out`, checked on queries and gallery images against their `features`.

    Raises:
        UserError: a library is missing, an input cannot be read, or ONNX gives other embeddings
            than the extract stage wrote; then nothing is written.
    """
    _check_libraries()
    check_writable(out)
    machine.prepare("cpu", params.threads, params.instructions)
    trained = load(model_file)
    written = features_file.read(features)
    places, queries = _sample(written.queries, len(written.pid))
    rows = records.read(manifest).query("subset != 'train'")
    if rows["pid"].tolist() != written.pid.tolist():
        raise UserError(
            "the features are of another split",
            where=features,
            expected=f"the query and gallery images of {manifest}",
            fix="dvc repro extracts them again",
        )
    members = rows["member"].iloc[places].tolist()
    images = Images(archive, members, trained.image_size, cache_mb=0).take(range(len(members)))
    embedder = Embedder(trained.model, flip=written.flip).eval()
    about = {
        **trained.model.about(),
        "run": trained.run,
        "image_size": trained.image_size,
        "input": INPUT,
        "output": OUTPUT,
        "metric": metric or trained.model.metric,
        "flip": written.flip,
    }
    with replacing(out) as temporary:
        _write(temporary, embedder, images, about)
        again, chosen = _embedded(temporary, images), metric or trained.model.metric
        found = agreement(written.embedding[places], again, queries, chosen)
        if not found.fine(params.precision):
            raise UserError(
                "ONNX gives other embeddings than the extract stage wrote",
                where=model_file,
                expected=f"those of {features}",
                found=found,
                fix="dvc status: if the model is newer than its features, dvc repro",
            )
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


def _sample(queries: int, images: int) -> tuple[list[int], int]:
    """Which rows of the features are compared, the queries first, and how many these are."""
    own = (0, queries, QUERIES), (queries, images, GALLERY)
    asked, gallery = (
        np.linspace(first, end - 1, min(most, end - first)).round().astype(int).tolist()
        for first, end, most in own
    )
    return asked + gallery, len(asked)


def _write(path: Path, embedder: Embedder, images: Tensor, about: Mapping[str, Any]) -> None:
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
    program.model.metadata_props["reidpipe"] = json.dumps(about, sort_keys=True)
    program.save(path, external_data=False)


def _embedded(path: Path, images: Tensor) -> Tensor:
    import onnxruntime  # noqa: PLC0415 - an optional extra

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (embedding,) = session.run(["embedding"], {"images": images.numpy()})
    return torch.from_numpy(embedding)


def agreement(ours: Tensor, theirs: Tensor, queries: int, metric: Metric = "cosine") -> Agreement:
    """Compare embeddings [N, D] of the same images, the first `queries` of them against the rest.

    Walking along the list of `theirs`, the distances of `ours` must never fall by more than the
    rounding: so equal and nearly equal images may change places, and nothing else.
    """
    distance, other = _distances(ours, queries, metric), _distances(theirs, queries, metric)
    order = other.sort(dim=1, stable=True).indices
    walked = distance.gather(1, order)
    fall = (walked.cummax(dim=1).values - walked).max()
    same = (order == distance.sort(dim=1, stable=True).indices).all(dim=1).sum()
    relative = (ours - theirs).abs().max() / ours.abs().max()
    return Agreement(queries, len(ours) - queries, float(relative), float(fall), int(same))


def _distances(embedding: Tensor, queries: int, metric: Metric) -> Tensor:
    """Distances [Q, G] in float64; Euclidean ones up to 2, as the cosine's."""
    if metric == "euclidean":
        found = torch.cdist(embedding[:queries].double(), embedding[queries:].double())
        return 2 * found / found.max()
    unit = nn.functional.normalize(embedding.double())
    return 1 - unit[:queries] @ unit[queries:].T

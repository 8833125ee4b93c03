"""A trained model for other programs, which is written only if it gives what its run gives.

Each form is run by the program that will run it, over the run's own queries and gallery, and
compared in embeddings and in rankings. docs/onnx.md says what goes in and comes out.
"""

import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from reidpipe.commands.export import sample, to_onnx, to_openvino, to_pt2
from reidpipe.commands.export.agreement import Agreement, Coarseness, agreement
from reidpipe.commands.export.embedder import Embedder, given
from reidpipe.commands.export.form import Form, Target, document
from reidpipe.commands.export.running import example
from reidpipe.errors import UserError
from reidpipe.files import check_writable, write_bytes, write_json
from reidpipe.formats.features import Features
from reidpipe.formats.settings.extraction import ExtractParams
from reidpipe.images.images import Images
from reidpipe.runtime import machine
from reidpipe.runtime.settings import Metric, Precision
from reidpipe.systems.trained import load

TARGETS: dict[Target, ModuleType] = {"onnx": to_onnx, "openvino": to_openvino, "pt2": to_pt2}
BESIDE = ".json"
"""What is added to a file's name for the document beside it."""


@dataclass(frozen=True)
class Source:
    """A model and what it is compared on."""

    model: Path
    archive: Path
    manifest: Path
    features: Path | None
    """Of the extract stage; None where there are none, so that they are made for the comparison."""
    threshold: float | None = None
    """The distance that `form.RATE` of the pairs of two people undercut."""


def export(
    source: Source, out: Path, form: Form, *, params: ExtractParams, metric: Metric | None
) -> Agreement:
    """Write the model to `out` and the document of its form beside it.

    Raises:
        UserError: a library is missing, an input cannot be read, or the exported model gives other
            embeddings than the extract stage wrote; then nothing is written.
    """
    target = TARGETS[form.target]
    _check_libraries(target, form.target)
    check_writable(out)
    machine.prepare("cpu", params.threads, params.instructions)
    trained = load(source.model)
    chosen = metric or trained.model.metric
    if form.unit and chosen != "cosine":
        raise UserError(
            f"{trained.run} is compared by Euclidean distance, which a norm of 1 would change",
            where=source.model,
            fix="export it without --unit",
        )
    rows = sample.tested(source.manifest)
    places = sample.sample(rows)
    members = rows["member"].iloc[places].tolist()
    images = Images(source.archive, members, trained.image_size, cache_mb=0)
    if source.features:
        expected = sample.extracted(source.features, rows, places)
    else:
        expected = sample.embedded(trained, images, rows, places, params)
    pixels = given(images.take(range(len(members))), form.input)
    embedder = Embedder(trained.model, form.input, flip=expected.flip, unit=form.unit).eval()
    about = document(trained, form, metric=chosen, flip=expected.flip, threshold=source.threshold)
    with tempfile.TemporaryDirectory() as scratch:
        written = Path(scratch, out.name)
        target.write(written, embedder, example(pixels, form.batch), form, about)
        again = target.run(written, pixels, form, params.threads)
        found = agreement(_unit(expected, form), again, chosen)
        if not found.fine(_coarser(params.precision, form)):
            raise UserError(
                f"{form.target} gives other embeddings than the extract stage wrote",
                where=source.model,
                expected=f"those of {source.features or 'torch'}",
                found=found,
                fix="dvc status: if the model is newer than its features, dvc repro",
            )
        for path in sorted(Path(scratch).iterdir()):  # a .bin before its .xml
            write_bytes(out.with_name(path.name), path.read_bytes())
    write_json(out.with_name(out.name + BESIDE), {**about, "compared": _compared(found)})
    return found


def _check_libraries(target: ModuleType, name: str) -> None:
    missing = [library for library in target.LIBRARIES if find_spec(library) is None]
    if missing:
        raise UserError(
            f"the export for {name} needs libraries that are not installed",
            expected=", ".join(target.LIBRARIES),
            found=f"no {', '.join(missing)}",
            fix=f"pip install '.[{target.EXTRA}]' in the folder of reidpipe",
        )


def _unit(expected: Features, form: Form) -> Features:
    if not form.unit:
        return expected
    unit = nn.functional.normalize(expected.embedding)
    return Features(unit, expected.pid, expected.camid, expected.queries)


def _coarser(precision: Precision, form: Form) -> Coarseness:
    """That of extraction, or half where the export has it and extraction had more."""
    return "half" if form.half and precision != "bf16" else precision


def _compared(found: Agreement) -> dict[str, Any]:
    """For the document: on what, and with what result."""
    mean_ap = found.mean_ap and {"extracted": found.mean_ap[0], "exported": found.mean_ap[1]}
    return {
        "queries": found.queries,
        "gallery": found.gallery,
        "embedding": found.embedding,
        "out_of_order": found.ranking,
        "same_lists": found.same,
        "mAP": mean_ap,
    }

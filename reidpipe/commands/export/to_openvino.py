"""OpenVINO's representation, two files, by way of ONNX; run by its plug-in for CPUs."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reidpipe.commands.export import to_onnx
from reidpipe.commands.export.embedder import Embedder
from reidpipe.commands.export.form import KEY, Form, text
from reidpipe.commands.export.running import in_batches

LIBRARIES = (*to_onnx.LIBRARIES, "openvino")
EXTRA = "openvino"


def write(
    path: Path, embedder: Embedder, example: Tensor, form: Form, about: Mapping[str, Any]
) -> None:
    """Write `path`, an .xml, and its weights beside it, a .bin of the same name."""
    import openvino  # noqa: PLC0415 - an optional extra

    with tempfile.TemporaryDirectory() as scratch:
        graph = Path(scratch, "model.onnx")
        plain = Form("onnx", form.input, form.batch)
        to_onnx.write(graph, embedder, example, plain, about)
        # Not convert_model, which reports its use over the network.
        model = openvino.Core().read_model(graph)
        model.set_rt_info(text(about), [KEY])
        openvino.save_model(model, path, compress_to_fp16=form.half)


def run(path: Path, images: Tensor, form: Form, threads: int | None) -> Tensor:
    """Embeddings of `images`, in float32."""
    return in_batches(opened(path, threads), images, form.batch)


def opened(path: Path, threads: int | None) -> Callable[[Tensor], Tensor]:
    """What embeds a batch, in float32, which CPUs with AMX would not choose by themselves."""
    import openvino  # noqa: PLC0415 - an optional extra

    options: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32"}
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    model = openvino.Core().compile_model(path, "CPU", options)

    def call(batch: Tensor) -> Tensor:
        return torch.from_numpy(model([batch.numpy()])[0].copy())

    return call

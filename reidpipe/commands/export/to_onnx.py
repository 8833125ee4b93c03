"""ONNX, run by onnxruntime."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from reidpipe.commands.export.embedder import Embedder
from reidpipe.commands.export.form import KEY, Form, text
from reidpipe.commands.export.running import in_batches

LIBRARIES = ("onnx", "onnxruntime", "onnxscript")
EXTRA = "onnx"


def write(
    path: Path, embedder: Embedder, example: Tensor, form: Form, about: Mapping[str, Any]
) -> None:
    """Write the graph; `example` are two images, or those of a fixed batch."""
    dynamic = None if form.batch else ({0: torch.export.Dim("batch")},)
    exported = torch.onnx.export(
        embedder,
        (example,),
        dynamo=True,
        dynamic_shapes=dynamic,
        input_names=["images"],
        output_names=["embedding"],
        verbose=False,
    )
    program = cast("torch.onnx.ONNXProgram", exported)
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()  # where in whose folders the code was
    program.model.metadata_props[KEY] = text(about)
    program.save(path, external_data=False)
    if form.half:
        _halve(path)


def _halve(path: Path) -> None:
    """Rewrite the graph in float16, but for what goes in and comes out, and the normalisation."""
    import onnx  # noqa: PLC0415 - an optional extra
    from onnxruntime.transformers import float16  # noqa: PLC0415

    # Bytes above 128 lose digits in float16 before they are normalised.
    kept = [*float16.DEFAULT_OP_BLOCK_LIST, "Sub", "Div"]
    graph = float16.convert_float_to_float16(
        onnx.load(path), keep_io_types=True, op_block_list=kept
    )
    onnx.save(graph, path)


def run(path: Path, images: Tensor, form: Form, threads: int | None) -> Tensor:
    """Embeddings of `images`, as a user's process has them."""
    return in_batches(opened(path, threads), images, form.batch)


def opened(path: Path, threads: int | None) -> Callable[[Tensor], Tensor]:
    """What embeds a batch."""
    import onnxruntime  # noqa: PLC0415 - an optional extra

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def call(batch: Tensor) -> Tensor:
        (found,) = session.run(["embedding"], {"images": batch.numpy()})
        return torch.from_numpy(found)

    return call

"""reidpipe export."""

from pathlib import Path
from typing import Annotated

import typer


def export(
    run: Annotated[str, typer.Argument(help="A trained run, as in runs/RUN.")],
    file: Annotated[Path, typer.Argument(help="The ONNX file to write.")],
) -> None:
    """Write a trained model as ONNX, checked against what was extracted from its data set.

    Needs the extra: pip install '.[onnx]'. Example: reidpipe export market1501-ours ours.onnx
    """
    from reidpipe.cli.trained import data_set, model_file
    from reidpipe.commands import export as exporting
    from reidpipe.formats import params

    active = params.load().active
    if active.evaluate.rerank:
        print("distances are re-ranked in evaluation: they are no function of two embeddings")
    archive, manifest = data_set(run)
    found = exporting.export(
        model_file(run),
        archive,
        manifest,
        features=Path(f"runs/{run}/features.safetensors"),
        params=active.extract,
        metric=active.evaluate.metric,
        out=file,
    )
    print(f"wrote {file}: {found}")

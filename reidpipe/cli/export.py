"""reidpipe export."""

from pathlib import Path
from typing import Annotated

import typer


def export(
    run: Annotated[str, typer.Argument(help="A trained run, as in runs/RUN.")],
    file: Annotated[Path, typer.Argument(help="The ONNX file to write.")],
) -> None:
    """Write a trained model as ONNX, checked against torch on images of its data set.

    Needs the extra: pip install '.[onnx]'. Example: reidpipe export market1501-ours ours.onnx
    """
    from reidpipe.cli.trained import data_set, model_file
    from reidpipe.commands import export as exporting
    from reidpipe.formats import params

    checked = params.load()
    archive, manifest = data_set(run)
    found = exporting.export(model_file(run), archive, manifest, checked.active.extract, file)
    print(f"wrote {file}: {found}")

"""reidpipe export."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from reidpipe.commands.export import Source
    from reidpipe.commands.export.form import Form


def export(
    run: Annotated[str, typer.Argument(help="A trained run, as in runs/RUN, or a model file.")],
    file: Annotated[Path, typer.Argument(help="The file to write: .onnx, .xml or .pt2.")],
    target: Annotated[
        str,
        typer.Option("--for", help="onnx, openvino or pt2; default: by the file's ending."),
    ] = "",
    kind: Annotated[
        str,
        typer.Option(
            "--input",
            help="uint8: bytes; pixels: floats of 0 to 255; float: floats normalised outside.",
        ),
    ] = "uint8",
    batch: Annotated[int, typer.Option(min=0, help="Images of a call; 0: any number.")] = 0,
    half: Annotated[bool, typer.Option("--half", help="In half precision.")] = False,
    unit: Annotated[bool, typer.Option("--unit", help="Embeddings with a norm of 1.")] = False,
    data: Annotated[
        str, typer.Option(help="The data set to compare on; a model file needs one.")
    ] = "",
) -> None:
    """Write a trained model for another program, checked against what was extracted from its data.

    ONNX and OpenVINO need extras: pip install '.[onnx]'. What goes in and comes out stands in the
    file, in FILE.json beside it, and in docs/onnx.md.

    Example: reidpipe export market1501-ours ours.onnx --input float --unit
    """
    from reidpipe.commands import export as exporting
    from reidpipe.formats import params

    form = _form(file, target, kind, batch, half=half, unit=unit)
    active = params.load().active
    if active.evaluate.rerank:
        print("distances are re-ranked in evaluation: they are no function of two embeddings")
    source = _source(run, data)
    found = exporting.export(
        source, file, form, params=active.extract, metric=active.evaluate.metric
    )
    print(f"wrote {file}: {found}")
    print(f"wrote {file}{exporting.BESIDE}: what goes in, what comes out, how two are compared")


def _form(file: Path, target: str, kind: str, batch: int, *, half: bool, unit: bool) -> "Form":
    from reidpipe.commands.export.embedder import INPUTS
    from reidpipe.commands.export.form import SUFFIXES, Form

    by_ending = SUFFIXES.get(file.suffix)
    suffix = {name: ending for ending, name in SUFFIXES.items()}
    if by_ending is None and not target:
        raise typer.BadParameter(f"{file} ends in none of {', '.join(SUFFIXES)}", param_hint="FILE")
    if target and target not in suffix:
        raise typer.BadParameter(f"{target}: one of {', '.join(suffix)}", param_hint="--for")
    chosen = next((name for name in suffix if name == target), by_ending)
    if chosen is None or by_ending != chosen:
        ending = suffix.get(chosen or "onnx")
        raise typer.BadParameter(f"{file} does not end in {ending}", param_hint="FILE")
    kinds = [known for known in INPUTS if known == kind]
    if not kinds:
        raise typer.BadParameter(f"{kind}: one of {', '.join(INPUTS)}", param_hint="--input")
    return Form(chosen, kinds[0], batch, half=half, unit=unit)


def _source(run: str, data: str) -> "Source":
    """The files of a run; of a model file with a data set."""
    from reidpipe.cli.trained import data_set, known_threshold, model_file
    from reidpipe.commands.export import Source
    from reidpipe.commands.export.form import RATE
    from reidpipe.formats.runs import files_of

    model = model_file(run)
    if data:
        return Source(model, *files_of(data), features=None)
    archive, manifest = data_set(run)
    features = Path(f"runs/{run}/features.safetensors")
    return Source(model, archive, manifest, features, known_threshold(run, RATE))

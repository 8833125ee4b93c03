"""reidpipe evaluate."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reidpipe.cli.output import Column, Csv, Json, exclusive, note, show

if TYPE_CHECKING:
    from reidpipe.commands.evaluate import Judged


def evaluate(
    features: Annotated[
        Path,
        typer.Argument(
            help="A .safetensors, .npz, or .npy with a .csv; or a model's .safetensors."
        ),
    ],
    data: Annotated[
        str, typer.Option(help="The data set whose images the rows are; without, by their labels.")
    ] = "",
    name: Annotated[
        str, typer.Option(help="What the result is called; default: the file's name.")
    ] = "",
    names: Annotated[
        Path | None, typer.Option(help="A list of names, or a CSV of names or labels.")
    ] = None,
    metric: Annotated[
        str,
        typer.Option(
            help="cosine or euclidean; default: the profile's, else the model's, else cosine."
        ),
    ] = "",
    rerank: Annotated[
        bool, typer.Option("--rerank", help="Re-rank, also where the profile does not.")
    ] = False,
    csv: Csv = False,
    json: Json = False,
) -> None:
    """Judge features of any source as the runs are judged, and set them beside these.

    The scores go to reports/foreign/NAME. What files may hold: docs/foreign.md.

    Example: reidpipe evaluate theirs.npz --data market1501
    """
    from reidpipe.commands.evaluate import judge, usual_metric
    from reidpipe.formats import params
    from reidpipe.formats.foreign import results
    from reidpipe.formats.settings.evaluation import EvaluateParams

    machine = exclusive(csv=csv, json=json)
    if metric not in {"", "cosine", "euclidean"}:
        raise typer.BadParameter(f"{metric} is neither cosine nor euclidean", param_hint="--metric")
    active = params.load().active
    section = active.evaluate
    asked = {
        "metric": metric or section.metric or usual_metric(features),
        "rerank": section.rerank or ({} if rerank else None),
    }
    settings = EvaluateParams.model_validate(section.model_dump() | asked)
    found = judge(
        features,
        name or features.stem,
        settings,
        data=data,
        table=names,
        extraction=active.extract,
    )
    metrics = results.read_metrics(found.folder / results.METRICS)
    columns = [Column("metric"), Column("value")]
    if machine:
        columns += [Column("low"), Column("high")]
    else:
        share = f"{section.bootstrap['confidence']:.0%}"
        columns.append(Column("interval", title=f"{share} interval"))
    show(columns, [*_rows(metrics, exact=machine)], csv=csv, json=json)
    for line in _notes(found):
        note(line, apart=machine)


def _rows(metrics: Mapping[str, float], *, exact: bool) -> Iterator[list[object]]:
    """A line per metric; for a reader without the errors of binning, and with fewer digits."""
    for key, value in metrics.items():
        low, high = metrics.get(f"{key}_low"), metrics.get(f"{key}_high")
        if exact and not key.endswith(("_low", "_high")):
            yield [key, value, low, high]
        elif not exact and not key.endswith(("_low", "_high", "_error")):
            digits = ".0f" if key.startswith("num_") else ".4f" if "distance" in key else ".2f"
            interval = "" if low is None else f"{low:.2f} to {high:.2f}"
            yield [key, format(value, digits), interval]


def _notes(found: "Judged") -> Iterator[str]:
    """What else a reader must know."""
    way = f"by their names in {found.split}" if found.split else "by their labels"
    aside = f"; {found.aside} rows of training images were left aside" if found.aside else ""
    yield f"{found.queries} queries, {found.gallery} gallery images, {way}{aside}"
    if found.kind != "float32":
        yield f"{found.kind} was converted to float32, in which distances are computed"
    yield f"wrote {found.folder}; dvc repro takes it onto the page, git add keeps it"

"""reidpipe seeds."""

from typing import Annotated

import typer

from reidpipe.cli.output import Column, Csv, Json, exclusive, note, show

COLUMNS = (
    *(Column("metric"), Column("run"), Column("setting"), Column("n")),
    *(Column("mean", ".2f"), Column("std", ".2f"), Column("seeds"), Column("values", ".2f")),
)


def seeds(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="A metric in reports/metrics (mAP); with --train, runs (all)."),
    ] = None,
    train: Annotated[
        str,
        typer.Option(help="Train each run with these seeds where reports/seeds lacks them: 0-4."),
    ] = "",
    all_commits: Annotated[
        bool, typer.Option("--all-commits", "-A", help="Experiments of all commits, not of HEAD's.")
    ] = False,
    csv: Csv = False,
    json: Json = False,
) -> None:
    """Say how far a metric scatters over experiments that differ in their seed alone.

    The table also goes to reports/seeds/METRIC.csv, which `dvc repro` takes into the report.

    With --train no experiments are needed: what every query scored with every seed goes to
    reports/seeds/RUN.csv, by which `reidpipe check` tells a loss from the noise of training.

    Example: dvc exp run --queue -S seed=1,2 && dvc queue start && reidpipe seeds mAP
    """
    machine = exclusive(csv=csv, json=json)
    if train:
        _train(names or [], train)
        return
    if len(names or []) > 1:
        raise typer.BadParameter("one metric at a time", param_hint="METRIC")
    from reidpipe.commands.seeds import spread
    from reidpipe.commands.seeds.experiments import experiments

    rows = spread.spreads((names or ["mAP"])[0], experiments(all_commits=all_commits))
    show(COLUMNS, [row.cells for row in rows], csv=csv, json=json)
    note(f"wrote {spread.write(rows)}", apart=machine)


def _train(runs: list[str], seeds: str) -> None:
    from reidpipe.commands.seeds.training import numbers, train_missing
    from reidpipe.formats.seeds import read

    for path in train_missing(runs, numbers(seeds)):
        values = {seed: q.percent()["mAP"].mean() for seed, q in read(path).by_seed.items()}
        shown = ", ".join(f"{seed}: {value:.2f}" for seed, value in values.items())
        print(f"{path}: mAP by seed {shown}", flush=True)
    print("dvc repro takes them into the report's dependencies; commit both")

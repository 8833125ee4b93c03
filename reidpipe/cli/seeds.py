"""reidpipe seeds."""

from typing import Annotated

import typer


def seeds(
    metric: Annotated[str, typer.Argument(help="A name in reports/metrics.")] = "mAP",
) -> None:
    """Say how far a metric scatters over experiments that differ in their seed alone.

    The table also goes to reports/seeds/METRIC.csv, which `dvc repro` takes into the report.

    Example: dvc exp run --queue -S seed=1,2 && dvc queue start && reidpipe seeds mAP
    """
    from rich.console import Console
    from rich.table import Table

    from reidpipe.seeds import spread
    from reidpipe.seeds.experiments import experiments

    rows = spread.spreads(metric, experiments())
    table = Table(*spread.HEADER)
    for row in rows:
        table.add_row(*row.cells)
    Console().print(table)
    print(f"wrote {spread.write(rows)}")

"""reidpipe compare."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from reidpipe.formats.queries import Queries


def compare(
    a: Annotated[str, typer.Argument(help="A run, or REV:RUN: the run in a git revision.")],
    b: Annotated[str, typer.Argument(help="The run to set beside it: B - A is shown.")],
) -> None:
    """Compare two runs query by query, with the paired bootstrap interval of each difference.

    Example: reidpipe compare market1501-baseline market1501-ours
    """
    from rich.console import Console
    from rich.table import Table

    from reidpipe import evaluation, params

    bootstrap = params.load().active.evaluate.bootstrap
    first, second = (scores(name) for name in (a, b))
    table = Table("metric", a, b, "difference", f"{bootstrap.confidence:.0%} interval", "verdict")
    for row in evaluation.compare(first, second, bootstrap):
        sure = "higher" if row.low > 0 else "lower" if row.high < 0 else "undecided"
        interval = f"{row.low:+.2f} to {row.high:+.2f}"
        numbers = f"{row.a:.2f}", f"{row.b:.2f}", f"{row.b - row.a:+.2f}"
        table.add_row(row.metric, *numbers, interval, sure)
    Console().print(table)


def scores(name: str) -> "Queries":
    """Those of `RUN` in the workspace, or of `REV:RUN`.

    Raises:
        UserError: there are none.
    """
    from reidpipe import revisions
    from reidpipe.formats import queries
    from reidpipe.formats.ranking import read_queries

    if ":" in name:
        return revisions.scores(*name.split(":", 1))
    path = queries.FOLDER / f"{name}.csv"
    if path.exists():
        return queries.parse(path.read_bytes(), path)
    return read_queries(Path("runs", name, "ranking.npz"))

"""reidpipe compare."""

from typing import Annotated

import typer


def compare(
    a: Annotated[str, typer.Argument(help="A run, or REV:RUN: the run in a git revision.")],
    b: Annotated[str, typer.Argument(help="The run to set beside it: B - A is shown.")],
) -> None:
    """Compare two runs query by query, with the paired bootstrap interval of each difference.

    Example: reidpipe compare market1501-baseline market1501-ours
    """
    from rich.console import Console
    from rich.table import Table

    from reidpipe.commands.scores import scores
    from reidpipe.formats import params
    from reidpipe.metrics.bootstrap import paired

    bootstrap = params.load().active.evaluate.bootstrap
    found = paired(scores(a), scores(b), bootstrap)
    interval = f"{bootstrap['confidence']:.0%} interval"
    table = Table("metric", a, b, "difference", interval, "verdict")
    for metric, row in found.items():
        sure = "higher" if row.low > 0 else "lower" if row.high < 0 else "undecided"
        numbers = f"{row.a:.2f}", f"{row.b:.2f}", f"{row.points:+.2f}"
        table.add_row(metric, *numbers, f"{row.low:+.2f} to {row.high:+.2f}", sure)
    Console().print(table)

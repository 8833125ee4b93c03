"""reidpipe compare."""

from typing import Annotated

import typer

from reidpipe.cli.output import Column, Csv, Json, exclusive, show


def compare(
    a: Annotated[
        str,
        typer.Argument(
            help="A run, or REV:RUN: the run in a git revision. Of features from elsewhere: "
            "foreign/NAME."
        ),
    ],
    b: Annotated[str, typer.Argument(help="The run to set beside it: B - A is shown.")],
    csv: Csv = False,
    json: Json = False,
) -> None:
    """Compare two runs query by query, with the paired bootstrap interval of each difference.

    Example: reidpipe compare market1501-baseline market1501-ours
    """
    from reidpipe.commands.scores import check_same_images, scores
    from reidpipe.formats import params
    from reidpipe.metrics.bootstrap import paired

    machine = exclusive(csv=csv, json=json)
    bootstrap = params.load().active.evaluate.bootstrap
    columns = [
        Column("metric"),
        Column("a", ".2f", a),
        Column("b", ".2f", b),
        Column("difference", "+.2f"),
    ]
    if machine:
        columns += [Column("low"), Column("high")]
    else:
        columns.append(Column("interval", title=f"{bootstrap['confidence']:.0%} interval"))
    rows, both = [], (scores(a), scores(b))
    check_same_images(a, b)
    for name, d in paired(*both, bootstrap).items():
        interval = [d.low, d.high] if machine else [f"{d.low:+.2f} to {d.high:+.2f}"]
        rows.append([name, d.a, d.b, d.points, *interval, d.verdict])
    show([*columns, Column("verdict")], rows, csv=csv, json=json)

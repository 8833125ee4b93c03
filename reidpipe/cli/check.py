"""reidpipe check."""

import sys
from typing import Annotated

import typer

_WIDE = 160


def check(
    against: Annotated[
        str,
        typer.Option(
            help="The git revision to compare with, or the word previous: the last commit whose "
            "metrics are not HEAD's. Default: HEAD where the workspace has other metrics than "
            "HEAD, else previous.",
            envvar="CHECK_AGAINST",
            show_default=False,
        ),
    ] = "",
    md: Annotated[bool, typer.Option("--md", help="Markdown, for a job summary.")] = False,
    json: Annotated[bool, typer.Option("--json", help="JSON, with every metric.")] = False,
) -> None:
    """Fail when a metric of the workspace is worse than it was, beyond its tolerance and chance.

    What a metric may lose: check.tolerance in params.yaml. A loss that is meant:
    reports/accepted.yaml. Exit status: 0 passed, 1 regression, 2 something could not be compared.

    Example: reidpipe check --against origin/main --md
    """
    from rich.console import Console

    from reidpipe.commands.check import rendering, verdicts
    from reidpipe.commands.check.base import base
    from reidpipe.formats import params

    if md and json:
        raise typer.BadParameter("--md and --json exclude each other")
    outcome = verdicts.check(base(against), params.load())
    if json:
        print(rendering.document(outcome))
    elif md:
        print(rendering.markdown(outcome))
    else:
        if rendering.shown(outcome):
            # A file or a log has no width; a terminal has its own.
            width = None if sys.stdout.isatty() else _WIDE
            Console(width=width).print(rendering.table(outcome))
        print(rendering.summary(outcome), *rendering.notes(outcome), sep="\n")
    raise typer.Exit(outcome.status)

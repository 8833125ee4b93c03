"""reidpipe check."""

from typing import Annotated

import typer


def check(
    against: Annotated[str, typer.Option(help="The git revision to compare with.")] = "HEAD",
    md: Annotated[bool, typer.Option("--md", help="Markdown, for a job summary.")] = False,
    json: Annotated[bool, typer.Option("--json", help="JSON, with every figure.")] = False,
) -> None:
    """Fail when a metric of the workspace is worse than in a git revision, or has no counterpart.

    What a metric may lose: check.tolerance in params.yaml. Exit status: 0 passed, 1 regression,
    2 something could not be compared.

    Example: reidpipe check --against origin/main --md
    """
    from rich.console import Console

    from reidpipe import params
    from reidpipe.check import rendering, verdicts

    if md and json:
        raise typer.BadParameter("--md and --json exclude each other")
    outcome = verdicts.check(against, params.load())
    if json:
        print(rendering.document(outcome))
    elif md:
        print(rendering.markdown(outcome))
    else:
        console = Console()
        if rendering.shown(outcome):
            console.print(rendering.table(outcome))
        console.print(rendering.summary(outcome))
    raise typer.Exit(outcome.status)

"""reidpipe doctor."""

from typing import Annotated

import typer


def doctor(
    profile: Annotated[
        str, typer.Option(help="embedded or paper; default: that of params.yaml")
    ] = "",
) -> None:
    """Say whether this machine can run a profile, what is missing, and how long it would take.

    Example: reidpipe doctor --profile paper
    """
    from rich.console import Console
    from rich.table import Table

    from reidpipe import params
    from reidpipe.doctor import examine

    chosen = params.load(profile=profile or None)
    table = Table("", "item", "found", "what to do", title=f"profile {chosen.profile}")
    sick = False
    for finding in examine(chosen):
        table.add_row(
            "ok" if finding.fine else "NO",
            finding.item,
            finding.found,
            "" if finding.fine else finding.fix,
        )
        sick |= not finding.fine
    Console().print(table)
    raise typer.Exit(1 if sick else 0)

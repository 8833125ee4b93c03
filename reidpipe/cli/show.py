"""reidpipe show."""

from typing import Annotated

import typer

from reidpipe.cli.output import Csv


def show(
    table: Annotated[str, typer.Argument(help="table1 to table4; from table5 on, your own data.")],
    csv: Csv = False,
    tex: Annotated[bool, typer.Option("--tex", help="As LaTeX (booktabs).")] = False,
    targets: Annotated[
        bool, typer.Option("--targets", help="What rebuilds it, for dvc repro, instead.")
    ] = False,
) -> None:
    """Print a table of what there is by now, also while the pipeline runs.

    Example: reidpipe show table1
    """
    from reidpipe.commands.show import build, list_targets
    from reidpipe.errors import UserError
    from reidpipe.reporting import formats

    if csv + tex + targets > 1:
        raise UserError("two forms at once", where="--csv, --tex, --targets", fix="choose one")
    if targets:
        typer.echo("\n".join(list_targets(table)))
        return
    form = formats.comma_separated if csv else formats.latex if tex else formats.markdown
    typer.echo(form(build(table)), nl=False)

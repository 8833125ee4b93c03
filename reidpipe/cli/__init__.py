"""The command `reidpipe`: a file per command, whose heavy imports stand in its function.

So --help answers at once, however long torch takes.
"""

import typer

from reidpipe.cli.check import check
from reidpipe.cli.compare import compare
from reidpipe.cli.doctor import doctor
from reidpipe.cli.export import export
from reidpipe.cli.leave_out import leave_out
from reidpipe.cli.reproduced import reproduced
from reidpipe.cli.search import search
from reidpipe.cli.seeds import seeds
from reidpipe.errors import reported
from reidpipe.runtime.process import settle

app = typer.Typer(
    help="Person re-identification, from raw archives to tables. The pipeline is `dvc repro`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (doctor, check, reproduced, compare, seeds, search, export, leave_out):
    app.command()(command)


def main() -> None:
    """Entry point: user errors are shown without a traceback, exit status 2."""
    settle()  # before a command loads torch
    with reported():
        app()

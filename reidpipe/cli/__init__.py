"""The command `reidpipe`: a file per command, whose heavy imports stand in its function.

So --help answers at once, however long torch takes.
"""

import io
import shlex
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec

import typer

from reidpipe.cli.adopt import adopt
from reidpipe.cli.check import check
from reidpipe.cli.compare import compare
from reidpipe.cli.doctor import doctor
from reidpipe.cli.evaluate import evaluate
from reidpipe.cli.export import export
from reidpipe.cli.leave_out import leave_out
from reidpipe.cli.reproduced import reproduced
from reidpipe.cli.search import search
from reidpipe.cli.seeds import seeds
from reidpipe.cli.show import show
from reidpipe.cli.spread import spread
from reidpipe.errors import UserError, reported
from reidpipe.runtime.process import settle

P = ParamSpec("P")
PARAMS_FILE = Path("params.yaml")

app = typer.Typer(
    help="Person re-identification, from raw archives to tables. The pipeline is `dvc repro`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def in_root(command: Callable[P, None]) -> Callable[P, None]:
    """The command, refused where its files are not: it would read and write beside them."""

    @wraps(command)
    def checked(*args: P.args, **kwargs: P.kwargs) -> None:
        here = Path.cwd()
        roots = [folder for folder in (here, *here.parents) if (folder / PARAMS_FILE).is_file()]
        if here not in roots:
            raise UserError(
                "this is not the root of the repository",
                where=here,
                expected=f"a folder with {PARAMS_FILE}",
                fix=f"cd {shlex.quote(str(roots[0]))}" if roots else "go to your clone of it",
            )
        command(*args, **kwargs)

    return checked


COMMANDS = (
    *(doctor, check, reproduced, show, compare, evaluate, seeds, search, export, leave_out),
    *(spread, adopt),
)
for command in COMMANDS:
    app.command()(in_root(command))


def main() -> None:
    """Entry point: user errors are shown without a traceback, exit status 2."""
    settle()  # before a command loads torch
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files need not be UTF-8
    with reported():
        app()

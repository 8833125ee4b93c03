"""The command `reidpipe`. Heavy imports stand in the commands, so that --help answers at once."""

from pathlib import Path
from typing import Annotated

import typer

from reidpipe import params
from reidpipe.errors import reported

app = typer.Typer(
    help="Person re-identification, from raw archives to tables. The pipeline is `dvc repro`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def root() -> None:
    """Keep the commands' names also while there is one alone."""


@app.command()
def doctor(
    profile: Annotated[
        str, typer.Option(help="embedded or paper; default: that of params.yaml")
    ] = "",
) -> None:
    """Say whether this machine can run a profile, what is missing, and how long it would take.

    Example: reidpipe doctor --profile paper
    """
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from reidpipe.doctor import examine  # noqa: PLC0415

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


@app.command(name="leave-out")
def leave_out_command(
    dataset: Annotated[str, typer.Argument(help="A data set of dvc.yaml that you do not have.")],
) -> None:
    """Take a data set and its runs out of dvc.yaml; its table will say that it was left out.

    Example: reidpipe leave-out dukemtmc (git restore dvc.yaml reports brings it back)
    """
    from reidpipe.leaving_out import leave_out  # noqa: PLC0415

    for path in leave_out(dataset):
        print(f"removed {path}")
    print(f"{dataset} is left out; dvc repro rebuilds the rest")


@app.command()
def compare(
    a: Annotated[str, typer.Argument(help="A run, or REV:RUN: the run in a git revision.")],
    b: Annotated[str, typer.Argument(help="The run to set beside it: B - A is shown.")],
) -> None:
    """Compare two runs query by query, with the paired bootstrap interval of each difference.

    Example: reidpipe compare market1501-baseline market1501-ours
    """
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from reidpipe.evaluation import compare as differences  # noqa: PLC0415
    from reidpipe.evaluation import read_ranking  # noqa: PLC0415

    bootstrap = params.load().active.evaluate.bootstrap
    first, second = read_ranking(ranking_file(a)), read_ranking(ranking_file(b))
    table = Table("metric", a, b, "difference", f"{bootstrap.confidence:.0%} interval", "verdict")
    for row in differences(first, second, bootstrap):
        sure = "higher" if row.low > 0 else "lower" if row.high < 0 else "undecided"
        interval = f"{row.low:+.2f} to {row.high:+.2f}"
        numbers = f"{row.a:.2f}", f"{row.b:.2f}", f"{row.b - row.a:+.2f}"
        table.add_row(row.metric, *numbers, interval, sure)
    Console().print(table)


def ranking_file(name: str) -> Path:
    """`RUN` in the workspace, or `REV:RUN` from the DVC cache by the lock of that revision."""
    if ":" not in name:
        return Path("runs") / name / "ranking.npz"
    from reidpipe.revisions import cached  # noqa: PLC0415

    revision, run = name.split(":", 1)
    return cached(revision, f"runs/{run}/ranking.npz")


def main() -> None:
    """Entry point: user errors are shown without a traceback, exit status 2."""
    with reported():
        app()

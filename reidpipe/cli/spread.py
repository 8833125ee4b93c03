"""reidpipe spread."""

from typing import Annotated

import typer


def spread(
    runs: Annotated[
        list[str] | None, typer.Argument(help="Runs (or their stages); all, without any.")
    ] = None,
    sweeps: Annotated[
        list[str] | None,
        typer.Option(
            "--set-param", "-S", help="As of dvc exp run: name=value,value; every combination."
        ),
    ] = None,
    address: Annotated[str, typer.Option(help="Of a Ray cluster; without, this machine.")] = "",
    at_once: Annotated[
        int, typer.Option(min=0, help="Tasks at once on this machine (0: as its cores say).")
    ] = 0,
    gpus_per_run: Annotated[
        float | None, typer.Option(min=0, help="GPUs a run takes; else as the profile says.")
    ] = None,
    by_remote: Annotated[
        bool,
        typer.Option("--by-remote", help="Nodes do not see this folder: by DVC's default remote."),
    ] = False,
    dry: Annotated[bool, typer.Option("--dry", help="Only say what would be done.")] = False,
    lines: Annotated[
        bool, typer.Option("--lines", help="Print it as a script for SLURM, without Ray.")
    ] = False,
    gather: Annotated[
        bool, typer.Option("--gather", help="Take in what tasks of --lines have done.")
    ] = False,
) -> None:
    """Do what is not up to date on many cores, GPUs or machines at once, then `dvc repro`.

    Each run is a task in a checkout of its own, with all that is not committed. What it makes goes
    into DVC's run cache; dvc.lock is in the end what `dvc repro` alone would have written.

    Example: reidpipe spread -S attention=se,eca,cbam -S seed=0,1,2
    """
    from reidpipe.commands.spread import run

    way = run.Way(
        address=address,
        at_once=at_once,
        gpus_per_run=gpus_per_run,
        by_remote=by_remote,
        dry=dry,
        lines=lines,
        gather=gather,
    )
    for line in run.spread(runs or [], sweeps or [], way):
        print(line)

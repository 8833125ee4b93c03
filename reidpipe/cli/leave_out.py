"""reidpipe leave-out."""

from typing import Annotated

import typer


def leave_out(
    dataset: Annotated[str, typer.Argument(help="A data set of runs.yaml that you do not have.")],
) -> None:
    """Take a data set and its runs out of the pipeline; its table will say that it was left out.

    Example: reidpipe leave-out dukemtmc
    """
    from reidpipe.commands import leave_out as leaving_out

    for path in leaving_out.leave_out(dataset):
        print(f"removed {path}")
    print(f"{dataset} is left out; dvc repro rebuilds the rest")
    print("to have it again: git restore -p runs.yaml dvc.yaml, where lines of your own can stay")

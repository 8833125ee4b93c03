"""The files of a run that a command names."""

from pathlib import Path

from reidpipe.errors import UserError, nearest
from reidpipe.formats import runs

RUNS = Path("runs")


def model_file(run: str) -> Path:
    """Where the train stage leaves the model of `run`.

    Raises:
        UserError: there is none.
    """
    known = sorted(path.parent.name for path in RUNS.glob("*/model.safetensors"))
    if run not in known:
        raise UserError(
            f"there is no trained run {run!r}",
            where=RUNS,
            expected=", ".join(known) or "RUN/model.safetensors, which dvc repro or dvc pull makes",
            fix=nearest(run, known),
        )
    return RUNS / run / "model.safetensors"


def data_set(run: str) -> tuple[Path, Path]:
    """The zip and the manifest that `run` is evaluated on.

    Raises:
        UserError: runs.yaml has no such run.
    """
    table = runs.load().runs
    name = table[runs.known_run(run, list(table))].dataset
    return Path(f"data/raw/{name}.zip"), Path(f"data/splits/{name}.csv")

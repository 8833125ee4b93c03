"""The model file of a run that a command names."""

from pathlib import Path

from reidpipe.errors import UserError, nearest

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

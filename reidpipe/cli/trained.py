"""The files of a run that a command names."""

import json
from pathlib import Path

from reidpipe.errors import UserError, nearest
from reidpipe.formats import params, runs

RUNS = Path("runs")


def model_file(run: str) -> Path:
    """Where the train stage leaves the model of `run`; a file's name stands for the file.

    Raises:
        UserError: there is none.
    """
    if run.endswith(".safetensors"):
        return Path(run)
    known = sorted(path.parent.name for path in RUNS.glob("*/model.safetensors"))
    if run not in known:
        raise UserError(
            f"there is no trained run {run!r}",
            where=RUNS,
            expected=", ".join(known) or "RUN/model.safetensors, which dvc repro or dvc pull makes",
            fix=nearest(run, known),
        )
    return RUNS / run / "model.safetensors"


def threshold(run: str, fpr: str) -> float:
    """The distance that `fpr` of the pairs of two people undercut where `run` was evaluated.

    Raises:
        UserError: it was not evaluated, at another rate, or by re-ranked distances, which are no
            function of two images.
    """
    if params.load().active.evaluate.rerank:
        raise UserError(
            "re-ranked distances depend on the whole gallery: they have no threshold",
            where="evaluate.rerank in params.yaml",
            fix="search without --fpr, or evaluate without re-ranking",
        )
    path, start = Path(f"reports/metrics/{run}.json"), "distance_at_fpr_"
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        fix = f"dvc repro evaluate@{run}"
        raise UserError("a run was not evaluated", where=path, found=error, fix=fix) from None
    known = [name.removeprefix(start) for name in metrics if name.startswith(start)]
    if fpr not in known:
        expected = " or ".join(known) or f"one of those that dvc repro evaluate@{run} writes"
        raise UserError(
            "no distance is known for this false positive rate",
            where=path,
            expected=expected,
            found=fpr,
        )
    return float(metrics[start + fpr])


def known_threshold(run: str, fpr: str) -> float | None:
    """What `threshold` finds, or None."""
    try:
        return threshold(run, fpr)
    except UserError:
        return None


def data_set(run: str) -> tuple[Path, Path]:
    """The zip and the manifest that `run` is evaluated on.

    Raises:
        UserError: runs.yaml has no such run.
    """
    if run.endswith(".safetensors"):
        known = ", ".join(runs.load().datasets)
        raise UserError(
            "a model file is of no data set", where=run, expected="--data DATASET", found=known
        )
    table = runs.load().runs
    return runs.files_of(table[runs.known_run(run, list(table))].dataset)

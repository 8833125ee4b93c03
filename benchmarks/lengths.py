"""How long a run must be trained: curves and seconds of trainings with other recipes.

    python -m benchmarks.lengths [RUN ...] [--KEY=VALUE ...]

Trains each run of runs.yaml (all, without any) on the workspace's data with the plan's recipe, in
which `--epochs=32 --milestones=[24,30]` and any other field can be changed. A JSON line per run
says seconds, images per second, and what reidpipe.reporting.science.ending says of the history.
Nothing is evaluated: lengths, batches and rates are chosen without a look at a test metric.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.variants import VALUE
from reidpipe.plan.resolve import plan
from reidpipe.reporting.reading.histories import read_history
from reidpipe.reporting.science.ending import ending
from reidpipe.runtime.process import settle
from reidpipe.runtime.settings import Cluster


def main(words: list[str]) -> None:
    settle()
    options = dict(word.removeprefix("--").split("=", 1) for word in words if word.startswith("--"))
    changes = {key: VALUE.validate_python(text) for key, text in options.items()}
    made = plan()["train"]
    for run in [word for word in words if not word.startswith("--")] or made:
        print(json.dumps({"benchmark": "lengths", "run": run, **measured(run, made[run], changes)}))


def measured(run: str, entry: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """One training's figures."""
    # torch, once it is settled
    from reidpipe.systems import recipe as recipe_of  # noqa: PLC0415
    from reidpipe.training.run import train, training_set  # noqa: PLC0415

    recipe = recipe_of(entry["system"], {**entry["recipe"], **changes})
    archive = Path(f"data/raw/{entry['dataset']}.zip")
    manifest = Path(f"data/splits/{entry['dataset']}.csv")
    with tempfile.TemporaryDirectory() as made_here:
        history_file = Path(made_here) / "history.csv"
        start = time.perf_counter()
        train(
            run,
            entry["system"],
            entry["network"],
            recipe,
            entry["seed"],
            machine=Cluster.model_validate(entry["machine"]),
            archive=archive,
            manifest=manifest,
            start=Path(entry["start"]),
            model_file=Path(made_here) / "model.safetensors",
            history_file=history_file,
            code=entry["code"],
        )
        seconds = time.perf_counter() - start
        history = read_history(history_file)
    steps = training_set(archive, manifest, recipe, 0).steps
    found = ending(history)
    return {
        "changes": changes,
        "steps": steps * recipe.epochs,
        "seconds": round(seconds, 1),
        "images_per_second": round(steps * recipe.epochs * recipe.batches.size / seconds),
        "accuracy": round(found.accuracy, 2),
        "fall": round(found.fall, 2),
        "reached": found.reached,
        "loss": [round(value, 3) for value in history["loss"]],
        "accuracies": [round(value, 1) for value in history["accuracy"]],
    }


if __name__ == "__main__":
    main(sys.argv[1:])

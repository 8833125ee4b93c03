"""Train one run of runs.yaml."""

from pathlib import Path

from reidpipe.errors import reported
from reidpipe.formats import plan
from reidpipe.formats.settings.training import Recipe
from reidpipe.runtime.settings import Loading
from reidpipe.training.run import train


def main() -> None:
    run, entry = plan.asked("train", __doc__)
    train(
        run,
        entry["network"],
        Recipe.model_validate(entry["recipe"]),
        entry["seed"],
        archive=Path(f"data/raw/{entry['dataset']}.zip"),
        manifest=Path(f"data/splits/{entry['dataset']}.csv"),
        start=Path(entry["start"]),
        model_file=Path(f"runs/{run}/model.safetensors"),
        history_file=Path(f"runs/{run}/history.csv"),
        code=entry["code"],
        loading=Loading.model_validate(plan.entry("loading")),
    )


if __name__ == "__main__":
    with reported():
        main()

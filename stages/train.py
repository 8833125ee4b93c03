"""Train one run of runs.yaml."""

from pathlib import Path

from reidpipe.errors import reported
from reidpipe.formats import plan
from reidpipe.formats.runs import model_file
from reidpipe.runtime.settings import Cluster, Loading
from reidpipe.systems import recipe
from reidpipe.training.run import train


def main() -> None:
    run, entry = plan.asked("train", __doc__)
    model = Path(model_file(run))
    train(
        run,
        entry["system"],
        entry["network"],
        recipe(entry["system"], entry["recipe"]),
        entry["seed"],
        machine=Cluster.model_validate(entry["machine"]),
        archive=Path(f"data/raw/{entry['dataset']}.zip"),
        manifest=Path(f"data/splits/{entry['dataset']}.csv"),
        start=Path(entry["start"]),
        model_file=model,
        history_file=model.with_name("history.csv"),
        code=entry["code"],
        loading=Loading.model_validate(plan.entry("loading")),
    )


if __name__ == "__main__":
    with reported():
        main()

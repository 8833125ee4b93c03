"""Two threads in one training, or two trainings of one thread each: which gets more done.

    python -m benchmarks.threads [RUN ...]

Trains each run of runs.yaml (market1501-tri and market1501-hac, without any) for a few epochs on
the workspace's data, in processes of their own: one with two threads, one with a single thread,
then two with a single thread at once. A JSON line per run: the seconds of a training, of the two at
once those of the slower one, and how many trainings per hour either way comes to.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from reidpipe.runtime.process import settle

settle()

from reidpipe.formats.plan import entry
from reidpipe.runtime.settings import Cluster, Loading
from reidpipe.systems import recipe
from reidpipe.training.run import train

RUNS = ("market1501-tri", "market1501-hac")
EPOCHS = 6


def main() -> None:
    for run in sys.argv[1:] or RUNS:
        (two,), (alone,), both = measured(run, 2, 1), measured(run, 1, 1), measured(run, 1, 2)
        seconds = {"two_threads": two, "one_thread": alone, "two_of_one_thread": max(both)}
        hourly = {"two_threads": 3600 / two, "two_of_one_thread": 2 * 3600 / max(both)}
        print(
            json.dumps(
                {
                    "run": run,
                    "epochs": EPOCHS,
                    "seconds": {name: round(value, 1) for name, value in seconds.items()},
                    "per_hour": {name: round(value) for name, value in hourly.items()},
                }
            ),
            flush=True,
        )


def measured(run: str, threads: int, count: int) -> list[float]:
    """Seconds of `count` trainings at once."""
    command = [sys.executable, "-m", "benchmarks.threads", "--one", run, str(threads)]
    started = [
        subprocess.Popen([*command, str(number)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for number in range(count)
    ]
    return [float(process.communicate()[0].split()[-1]) for process in started]


def one(run: str, threads: int, number: int) -> None:
    """A short training, and its seconds."""
    made = entry("train", run)
    options = {**made["recipe"], "epochs": EPOCHS, "milestones": [EPOCHS - 1]}
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        train(
            f"{run} {threads} {number}",  # a name of its own, by which its state is kept
            made["system"],
            made["network"],
            recipe(made["system"], options),
            made["seed"],
            machine=Cluster.model_validate({**made["machine"], "threads": threads}),
            archive=Path(f"data/raw/{made['dataset']}.zip"),
            manifest=Path(f"data/splits/{made['dataset']}.csv"),
            start=Path(made["start"]),
            model_file=Path(folder, "model.safetensors"),
            history_file=Path(folder, "history.csv"),
            code=made["code"],
            loading=Loading.model_validate(entry("loading")),
        )
        print(time.monotonic() - start)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        main()

"""What a change of network, recipe or data does to a run, over seeds.

    python -m benchmarks.variants RUN [--seeds=0-4] [--against=OTHER] [--processes=2] [CHANGES ...]

CHANGES are such as `network.classifier=linear,recipe.epochs=30,data.occluded=0.6`: keys of the
run's entry of the plan, and of its synthetic data set, which is then made anew;
`head.length=10` multiplies the first weights of a cosine classifier, whose length sets how fast
Adam turns them; `-` changes nothing. Each is trained, extracted and evaluated with every seed.
With several processes, as many trainings run side by side, each in one thread: a third faster, and
rounded otherwise than in two, which is another draw of the same luck.

A JSON line per variant: Rank-1 and mAP (mean and standard deviation over seeds), how the trainings
ended, and the difference of mAP to the first variant that has the same data, or to what
reports/seeds has of OTHER, with its interval over seeds and queries. docs/findings.md has what came
out.
"""

import copy
import json
import multiprocessing
import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Annotated, Any
from unittest.mock import patch

from pydantic import Field, Json, TypeAdapter

from reidpipe.commands.seeds.training import numbers, trained
from reidpipe.datasets.download import download
from reidpipe.datasets.splitting import split
from reidpipe.formats import seeds as seeds_file
from reidpipe.formats.queries import METRICS, Queries
from reidpipe.metrics.bootstrap import paired_by_seed
from reidpipe.plan.resolve import plan
from reidpipe.reporting.reading.histories import read_history
from reidpipe.reporting.science.ending import Ending, ending
from reidpipe.runtime.process import settle

settle()
# isort: split
import torch

from reidpipe.layers.heads import Cosine

SHOWN = ("rank1", "mAP")
PARTS = ("network", "recipe", "machine", "head", "data")

VALUE = TypeAdapter[Any](Annotated[Json[Any] | str, Field(union_mode="left_to_right")])
"""32, 0.5, true, [36, 44] or a word."""
_BETWEEN = re.compile(r",(?=[a-z]+\.)")

Data = tuple[tuple[str, Any], ...]
"""What is changed in the data set."""
Job = tuple[str, int, Mapping[str, Any], Path]
"""Run, seed, plan, folder of the data sets."""


def main(words: list[str]) -> None:
    options = dict(word.removeprefix("--").split("=", 1) for word in words if word.startswith("--"))
    run, *changes = [word for word in words if not word.startswith("--")]
    if unknown := options.keys() - {"seeds", "against", "processes"}:
        sys.exit(f"there is no option --{min(unknown)}")
    seeds, processes = numbers(options.get("seeds", "0-4")), int(options.get("processes", 1))
    start = Path(plan()["train"][run]["start"])
    if not start.exists():
        sys.exit(f"{start} is missing, from which {run} starts: dvc repro weights")
    first: dict[Data, list[Queries]] = {}
    if "against" in options:
        table = seeds_file.read(seeds_file.FOLDER / f"{options['against']}.csv")
        first[()] = [table.by_seed[seed] for seed in seeds]
    with (
        tempfile.TemporaryDirectory() as folder,
        multiprocessing.get_context("spawn").Pool(processes) as pool,
    ):
        data: dict[Data, Path] = {(): Path("data")}
        waiting = []
        for text in changes or ["-"]:
            made, other = changed(plan(), run, text)
            if processes > 1:
                made["train"][run]["machine"]["threads"] = 1
            if other not in data:
                data[other] = generated(made, run, other, Path(folder, str(len(data))))
            jobs: list[Job] = [(run, seed, made, data[other]) for seed in seeds]
            waiting.append((text, other, pool.starmap_async(measured, jobs, chunksize=1)))
        for text, other, result in waiting:
            found = result.get()
            scores = [queries for queries, _ in found]
            before = first.setdefault(other, scores)
            print(json.dumps(line(run, text, scores, [end for _, end in found], before)))
            sys.stdout.flush()


def changed(made: Mapping[str, Any], run: str, text: str) -> tuple[dict[str, Any], Data]:
    """The plan with other values in the training of `run`, and what differs in its data set."""
    found, data = copy.deepcopy(dict(made)), {}
    for setting in _BETWEEN.split(text) if text != "-" else ():
        path, word = setting.split("=", 1)
        part, *keys = path.split(".")
        if part not in PARTS or not keys or (part == "data" and len(keys) > 1):
            sys.exit(f"none of {', '.join(f'{name}.KEY=VALUE' for name in PARTS)}: {setting}")
        value = VALUE.validate_python(word)
        *parents, last = keys
        if part == "data":
            data[last] = value
            continue
        section = found["train"][run].setdefault(part, {})
        for name in parents:
            section = section.setdefault(name, {})
        section[last] = value
    return found, tuple(sorted(data.items()))


def generated(made: Mapping[str, Any], run: str, other: Data, folder: Path) -> Path:
    """Make the run's data set in `folder`, with changes."""
    dataset = made["train"][run]["dataset"]
    source = made["download"][dataset]["source"] | dict(other)
    archive, manifest = folder / "raw" / f"{dataset}.zip", folder / "splits" / f"{dataset}.csv"
    for path in (archive, manifest):
        path.parent.mkdir(parents=True)
    for _ in download(source, archive):
        pass
    split(archive, manifest, source["layout"])
    return folder


def measured(run: str, seed: int, made: Mapping[str, Any], data: Path) -> tuple[Queries, Ending]:
    length = made["train"][run].get("head", {}).get("length", 1)
    with tempfile.TemporaryDirectory() as folder, patch.object(Cosine, "start", longer(length)):
        scores = trained(run, seed, made, Path(folder), data)
        return scores, ending(read_history(Path(folder) / "history.csv"))


def longer(factor: float) -> Callable[[Cosine, torch.Generator], None]:
    """How a cosine classifier starts, with weights that are `factor` times as long."""
    usual = Cosine.start

    def start(head: Cosine, generator: torch.Generator) -> None:
        usual(head, generator)
        head.weight.data.mul_(factor)

    return start


def line(
    run: str,
    changes: str,
    scores: Sequence[Queries],
    endings: Sequence[Ending],
    first: Sequence[Queries],
) -> dict[str, Any]:
    by_seed = [queries.matrix().mean(axis=0) for queries in scores]
    found: dict[str, Any] = {"benchmark": "variants", "run": run, "changes": changes}
    for name in SHOWN:
        values = [float(row[METRICS.index(name)]) for row in by_seed]
        found[name] = [round(value, 2) for value in values]
        found[f"{name}_mean"] = round(mean(values), 2)
        found[f"{name}_std"] = round(stdev(values), 2) if len(values) > 1 else None
    found["accuracy"] = [round(end.accuracy, 1) for end in endings]
    found["fall"] = [round(end.fall, 1) for end in endings]
    found["not_at_the_end"] = sum(not end.reached for end in endings)
    if scores is not first:
        mAP = paired_by_seed(first, scores, {})["mAP"]  # noqa: N806 - the field's name
        found["mAP_difference"] = [round(v, 2) for v in (mAP.points, mAP.low, mAP.high)]
    return found


if __name__ == "__main__":
    main(sys.argv[1:])

"""What a change of network or recipe does to a run, over seeds.

    python -m benchmarks.variants RUN [--seeds=0-4] [--against=OTHER] [CHANGES ...]

CHANGES are such as `network.classifier=linear,recipe.epochs=30`: keys of the run's entry of the
plan; `-` changes nothing. Each is trained, extracted and evaluated with every seed on the
workspace's data.
A JSON line per variant: Rank-1 and mAP (mean and standard deviation over seeds), how the trainings
ended, and the difference of mAP to the first variant, or to what reports/seeds has of OTHER, with
its interval over seeds and queries. docs/findings.md has what came out.
"""

import copy
import json
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Annotated, Any

from pydantic import Field, Json, TypeAdapter

from reidpipe.commands.seeds.training import numbers, trained
from reidpipe.formats import seeds as seeds_file
from reidpipe.formats.queries import METRICS, Queries
from reidpipe.metrics.bootstrap import paired_by_seed
from reidpipe.plan.resolve import plan
from reidpipe.reporting.reading.histories import read_history
from reidpipe.reporting.science.ending import Ending, ending
from reidpipe.runtime.process import settle

SHOWN = ("rank1", "mAP")

VALUE = TypeAdapter[Any](Annotated[Json[Any] | str, Field(union_mode="left_to_right")])
"""32, 0.5, true, [36, 44] or a word."""
_BETWEEN = re.compile(r",(?=[a-z]+\.)")


def main(words: list[str]) -> None:
    options = dict(word.removeprefix("--").split("=", 1) for word in words if word.startswith("--"))
    run, *changes = [word for word in words if not word.startswith("--")]
    if unknown := options.keys() - {"seeds", "against"}:
        sys.exit(f"there is no option --{min(unknown)}")
    settle()
    seeds = numbers(options.get("seeds", "0-4"))
    made, first = plan(), None
    if "against" in options:
        table = seeds_file.read(seeds_file.FOLDER / f"{options['against']}.csv")
        first = [table.by_seed[seed] for seed in seeds]
    for text in changes or ["-"]:
        found = [measured(run, seed, changed(made, run, text)) for seed in seeds]
        scores = [queries for queries, _ in found]
        first = first or scores
        print(json.dumps(line(run, text, scores, [end for _, end in found], first)), flush=True)


def changed(made: Mapping[str, Any], run: str, text: str) -> dict[str, Any]:
    """The plan with other values in the training of `run`."""
    found = copy.deepcopy(dict(made))
    for setting in _BETWEEN.split(text) if text != "-" else ():
        path, value = setting.split("=", 1)
        *parents, last = path.split(".")
        section = found["train"][run]
        if parents[:1] not in (["network"], ["recipe"]):
            sys.exit(f"neither network.KEY=VALUE nor recipe.KEY=VALUE: {setting}")
        for name in parents:
            section = section.setdefault(name, {})
        section[last] = VALUE.validate_python(value)
    return found


def measured(run: str, seed: int, made: Mapping[str, Any]) -> tuple[Queries, Ending]:
    with tempfile.TemporaryDirectory() as folder:
        scores = trained(run, seed, made, Path(folder))
        return scores, ending(read_history(Path(folder) / "history.csv"))


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

"""Trains a run with other seeds than its own, and keeps what its queries scored.

An experiment per seed would do the same and keep every network; here a network lives until it was
evaluated, and reports/seeds/RUN.csv has all that is wanted of it.
"""

import hashlib
import json
import re
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from reidpipe.commands.scores import scores
from reidpipe.errors import UserError
from reidpipe.formats import lock, queries, seeds
from reidpipe.formats.plan import written
from reidpipe.formats.queries import Queries
from reidpipe.formats.runs import known_run
from reidpipe.formats.seeds import Seeds
from reidpipe.formats.settings.evaluation import EvaluateParams
from reidpipe.formats.settings.extraction import ExtractParams
from reidpipe.plan.resolve import plan
from reidpipe.reporting.reading.histories import read_history
from reidpipe.reporting.science.ending import ending
from reidpipe.runtime.dvc import dvc_json
from reidpipe.runtime.settings import Cluster, Loading

End = tuple[int, float, float]
"""Epochs, accuracy and fall, as formats/seeds.py keeps them."""
MOST = 1000
_PARTS = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")


def numbers(text: str) -> list[int]:
    """Seeds of `0-4`, `7` or `0-2,5`.

    Raises:
        UserError: it is none of these.
    """
    parts = [_PARTS.fullmatch(part.strip()) for part in text.split(",")]
    ranges = [range(int(p[1]), int(p[2] or p[1]) + 1) for p in parts if p]
    if not all(parts) or not all(ranges) or sum(map(len, ranges)) > MOST:
        raise UserError(
            "not a list of seeds",
            where="--train",
            expected="such as 0-4 or 0,2,7-9, a thousand at most",
            found=text,
        )
    return sorted({seed for part in ranges for seed in part})


def train_missing(names: Sequence[str], wanted: Sequence[int]) -> Iterator[Path]:
    """Train what reports/seeds lacks of the runs `names` (all, without any); yield each table.

    A table whose trainings had other code, data or parameters is begun anew.

    Raises:
        UserError: there is no such run, or the workspace has no current results of it.
    """
    made = plan()
    profile = made["report"]["params"]["profile"]
    chosen = [known_run(name, list(made["train"])) for name in names] or list(made["train"])
    for name in chosen:
        _check_one_process(made["train"][name]["machine"], profile)
    _check_current(chosen, made)
    stages = lock.stages()
    for name in chosen:
        path = seeds.FOLDER / f"{name}.csv"
        table = _known(path, profile, trained_with(name, made, stages))
        # The plan's own seed costs nothing, and by it the report knows whose table this is.
        for seed in sorted({*wanted, made["train"][name]["seed"]} - table.endings.keys()):
            scored, end = _scored(name, seed, made)
            by_seed = {**table.by_seed, seed: scored}
            _check_queries(name, by_seed)
            table = replace(table, by_seed=by_seed, endings={**table.endings, seed: end})
            seeds.write(path, table)
        yield path


def _check_one_process(machine: Mapping[str, Any], profile: str) -> None:
    if machine["devices"] * machine["nodes"] > 1:
        raise UserError(
            "seeds are trained in one process",
            where=f"params.yaml: {profile}.train.devices, nodes",
            expected="1",
            found=f"{machine['devices']}, {machine['nodes']}",
            fix="set both to 1, or one experiment per seed: dvc exp run -S seed=1",
        )


def trained_with(run: str, made: Mapping[str, Any], stages: Mapping[str, Any]) -> str:
    """Hash of all that decides the results of `run`, the seed aside: by the plan and a lock."""
    decides = {}
    for stage in lock.STAGES:
        entry = {name: value for name, value in made[stage][run].items() if name != "seed"}
        deps = {d["path"]: d["md5"] for d in stages[f"{stage}@{run}"]["deps"]}
        own = {path: md5 for path, md5 in deps.items() if not path.startswith(f"runs/{run}/")}
        decides[stage] = {"entry": entry, "deps": own}
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:32]


def _known(path: Path, profile: str, trained: str) -> Seeds:
    """The table; an empty one where it is of other trainings."""
    if path.exists():
        found = seeds.read(path)
        if (found.profile, found.trained) == (profile, trained):
            return found
        print(  # noqa: T201
            f"{path}: trained with other code, data or parameters, begun anew", file=sys.stderr
        )
    return Seeds(profile, trained, {}, {})


def _check_current(runs: Collection[str], made: Mapping[str, Any]) -> None:
    """The run's own seed is taken from the workspace, and its data are."""
    targets = [f"{stage}@{run}" for run in runs for stage in lock.STAGES]
    # `resolve` is always to be run: what it would write is compared here.
    stale = dvc_json("status", "--json", *targets).keys() - {"resolve"}
    if written() != made:
        stale |= {"resolve"}
    if stale:
        raise UserError(
            "the results in the workspace are not current",
            where=", ".join(sorted(stale)[:3]),
            expected="dvc status finds nothing to do for the runs that are trained with more seeds",
            fix=f"dvc repro {' '.join(f'evaluate@{run}' for run in runs)}",
        )


def _check_queries(run: str, by_seed: Mapping[int, Queries]) -> None:
    first, *others = by_seed.values()
    if not all(np.array_equal(first.query, other.query) for other in others):
        raise UserError(f"the seeds of {run} have different queries", fix="dvc repro; try again")


def _scored(name: str, seed: int, made: Mapping[str, Any]) -> tuple[Queries, End]:
    """What the queries score with `seed`, and how its training ended."""
    if seed == made["train"][name]["seed"]:  # the workspace has it
        return scores(name), _end(Path("runs", name))
    with tempfile.TemporaryDirectory() as folder:
        return trained(name, seed, made, Path(folder)), _end(Path(folder))


def _end(folder: Path) -> End:
    found = ending(read_history(folder / "history.csv"))
    return found.epochs, round(found.accuracy, 2), round(found.fall, 2)


def trained(
    name: str, seed: int, made: Mapping[str, Any], folder: Path, data: Path = Path("data")
) -> Queries:
    """Train, extract and evaluate a run of the plan `made` with `seed`, as the stages would do it.

    Data sets are read from `data`, everything is written into `folder`; what the queries scored is
    returned.
    """
    entry, loading = made["train"][name], Loading.model_validate(made["loading"])
    # Only a training needs torch.
    from reidpipe.evaluation.evaluate import evaluate  # noqa: PLC0415
    from reidpipe.extraction.embeddings import extract  # noqa: PLC0415
    from reidpipe.systems import recipe  # noqa: PLC0415
    from reidpipe.training.run import train  # noqa: PLC0415

    archive = data / "raw" / f"{entry['dataset']}.zip"
    manifest = data / "splits" / f"{entry['dataset']}.csv"
    model, features = folder / "model.safetensors", folder / "features.safetensors"
    train(
        f"{name} seed {seed}",
        entry["system"],
        entry["network"],
        recipe(entry["system"], entry["recipe"]),
        seed,
        machine=Cluster.model_validate(entry["machine"]),
        archive=archive,
        manifest=manifest,
        start=Path(entry["start"]),
        model_file=model,
        history_file=folder / "history.csv",
        code=entry["code"],
        loading=loading,
    )
    chosen = ExtractParams.model_validate(made["extract"][name]["params"])
    extract(model, archive, manifest, chosen, features, workers=loading.workers)
    evaluate(
        features,
        EvaluateParams.model_validate(made["evaluate"][name]["params"]),
        out_metrics=folder / "metrics.json",
        out_cmc=folder / "cmc.csv",
        out_queries=folder / "queries.csv",
        out_ranking=folder / "ranking.npz",
    )
    return queries.parse((folder / "queries.csv").read_bytes(), folder)

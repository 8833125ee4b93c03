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
from pathlib import Path
from typing import Any

import numpy as np

from reidpipe import revisions
from reidpipe.dvc_process import dvc_json
from reidpipe.errors import UserError, nearest
from reidpipe.formats import queries, seeds
from reidpipe.formats.queries import Queries
from reidpipe.formats.seeds import Seeds
from reidpipe.params import Params
from reidpipe.reporting.experiment import Run, load_runs

STAGES = ("train", "extract", "evaluate")
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


def train_missing(names: Sequence[str], wanted: Sequence[int], params: Params) -> Iterator[Path]:
    """Train what reports/seeds lacks of the runs `names` (all, without any); yield each table.

    A table whose trainings had other code, data or parameters is begun anew.

    Raises:
        UserError: there is no such run, or the workspace has no current results of it.
    """
    table = load_runs(Path("dvc.yaml"), params)
    train = params.active.train
    if train.devices * train.nodes > 1:
        raise UserError(
            "seeds are trained in one process",
            where=f"params.yaml: {params.profile}.train.devices, nodes",
            expected="1",
            found=f"{train.devices}, {train.nodes}",
            fix="set both to 1, or one experiment per seed: dvc exp run -S seed=1",
        )
    if unknown := [name for name in names if name not in table]:
        raise UserError(
            f"there is no run {unknown[0]!r}",
            where="dvc.yaml: stages.train.foreach",
            expected=", ".join(table),
            fix=nearest(unknown[0], table),
        )
    chosen = list(names) or list(table)
    _check_current(chosen)
    lock = revisions.lock()
    for name in chosen:
        path, trained = seeds.FOLDER / f"{name}.csv", trained_with(name, lock)
        known = _known(path, params.profile, trained)
        for seed in wanted:
            if seed not in known:
                known[seed] = _scores(name, table[name], seed, params)
                _check_queries(name, known)
                seeds.write(path, Seeds(params.profile, trained, known))
        yield path


def trained_with(run: str, lock: Mapping[str, Any]) -> str:
    """Hash of all that decides the results of `run` by a lock, the seed aside."""
    decides = {}
    for stage in STAGES:
        entry = lock[f"{stage}@{run}"]
        params = {file: _without_seed(values) for file, values in entry.get("params", {}).items()}
        own = f"runs/{run}/"
        deps = {d["path"]: d["md5"] for d in entry["deps"] if not d["path"].startswith(own)}
        decides[stage] = {"cmd": entry["cmd"], "deps": deps, "params": params}
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:32]


def _without_seed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "seed"}


def _known(path: Path, profile: str, trained: str) -> dict[int, Queries]:
    """What the table has by seed; nothing where it is of other trainings."""
    if not path.exists():
        return {}
    found = seeds.read(path)
    if (found.profile, found.trained) == (profile, trained):
        return dict(found.by_seed)
    print(f"{path}: trained with other code, data or parameters, begun anew", file=sys.stderr)  # noqa: T201
    return {}


def _check_current(runs: Collection[str]) -> None:
    """The run's own seed is taken from the workspace, and its data are."""
    targets = [f"{stage}@{run}" for run in runs for stage in STAGES]
    status = dvc_json("status", "--json", *targets)
    if status:
        raise UserError(
            "the results in the workspace are not current",
            where=", ".join(sorted(status)[:3]),
            expected="dvc status finds nothing to do for the runs that are trained with more seeds",
            fix=f"dvc repro {' '.join(f'evaluate@{run}' for run in runs)}",
        )


def _check_queries(run: str, by_seed: Mapping[int, Queries]) -> None:
    first, *others = by_seed.values()
    if not all(np.array_equal(first.query, other.query) for other in others):
        raise UserError(f"the seeds of {run} have different queries", fix="dvc repro; try again")


def _scores(name: str, run: Run, seed: int, params: Params) -> Queries:
    """What the queries score when `run` is trained with `seed`, as the three stages would do it."""
    if seed == params.seed:
        path = queries.FOLDER / f"{name}.csv"
        return queries.parse(path.read_bytes(), path)
    # Only a training needs torch.
    from reidpipe.evaluation import evaluate  # noqa: PLC0415
    from reidpipe.extraction import extract  # noqa: PLC0415
    from reidpipe.training.run import Run as Training  # noqa: PLC0415
    from reidpipe.training.run import train  # noqa: PLC0415

    active = params.active
    archive, manifest = Path(f"data/raw/{run.dataset}.zip"), Path(f"data/splits/{run.dataset}.csv")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        train(
            Training(f"{name} seed {seed}", **run.model.model_dump()),
            active.train,
            seed,
            archive=archive,
            manifest=manifest,
            weights=Path(run.start) if run.pretrained else None,
            model_file=folder / "model.safetensors",
            history_file=folder / "history.csv",
            loading=active.loading,
        )
        features = folder / "features.safetensors"
        workers = active.loading.workers
        extract(
            folder / "model.safetensors",
            archive,
            manifest,
            active.extract,
            features,
            workers=workers,
        )
        evaluate(
            features,
            active.evaluate,
            out_metrics=folder / "metrics.json",
            out_cmc=folder / "cmc.csv",
            out_queries=folder / "queries.csv",
            out_ranking=folder / "ranking.npz",
        )
        return queries.parse((folder / "queries.csv").read_bytes(), folder)

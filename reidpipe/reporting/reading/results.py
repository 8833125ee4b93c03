"""What the stages left for each run, and what `reidpipe seeds --train` added to it."""

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reidpipe.errors import UserError
from reidpipe.formats import queries as queries_file
from reidpipe.formats import ranking as ranking_file
from reidpipe.formats import seeds as seeds_file
from reidpipe.formats.queries import Queries
from reidpipe.formats.ranking import Ranking
from reidpipe.reporting.reading.histories import History, read_history
from reidpipe.reporting.science.ending import Ending, ending

FIX = "dvc repro evaluate; for a run that is gone, delete its file in reports/metrics"


@dataclass(frozen=True)
class Scores:
    """What tables and claims stand on: in git, but for the history."""

    metrics: Mapping[str, float]
    """Percent, as in `reports/metrics/RUN.json`."""
    queries: Queries
    by_seed: Mapping[int, Queries]
    """What the queries scored with each seed, this training's own among them; empty without."""
    ending: Ending | None
    """How its training ended; None where its history is not on this machine."""


@dataclass(frozen=True)
class Result(Scores):
    """Everything about a run that was evaluated in this workspace."""

    cmc: NDArray[np.float64]
    """Percent at ranks 1, 2, ..."""
    ranking: Ranking
    history: History


def load_results(names: Iterable[str], root: Path, seed: int) -> dict[str, Result]:
    """Results of exactly the runs `names` under the repository `root`, but of those evaluated.

    A data set of one camera is not. The runs were trained with `seed`.

    Raises:
        UserError: metrics of a run are missing, or some are of a run that is not in runs.yaml.
    """
    expected = list(names)
    found = sorted(path.stem for path in (root / "reports/metrics").glob("*.json"))
    if set(found) != set(expected):
        missing = sorted(set(expected) - set(found))
        extra = sorted(set(found) - set(expected))
        raise UserError(
            "the metrics are not those of the runs in runs.yaml",
            where=root / "reports/metrics",
            expected=", ".join(expected),
            found=f"missing: {', '.join(missing) or 'none'}; extra: {', '.join(extra) or 'none'}",
            fix=FIX,
        )
    results = {name: _load(name, root, seed) for name in expected}
    return {name: result for name, result in results.items() if len(result.ranking.query)}


def load_scores(names: Iterable[str], root: Path, seed: int) -> dict[str, Scores]:
    """Scores of those of the runs `names` that have some under `root`, at whatever time.

    Raises:
        UserError: a file cannot be read.
    """
    return {name: found for name in names if (found := _scores(name, root, seed)) is not None}


def _scores(name: str, root: Path, seed: int) -> Scores | None:
    scored, history = root / queries_file.FOLDER / f"{name}.csv", root / f"runs/{name}/history.csv"
    try:
        queries = queries_file.parse(scored.read_bytes(), scored)
        metrics = _metrics(name, root)
    except FileNotFoundError:
        return None
    ended = ending(read_history(history)) if history.exists() else None
    return Scores(metrics, queries, _by_seed(name, root, queries, seed), ended)


def _load(name: str, root: Path, seed: int) -> Result:
    try:
        metrics, cmc = _metrics(name, root), _curve(root / f"reports/cmc/{name}.csv")
        ranking = ranking_file.read(root / f"runs/{name}/ranking.npz")
    except FileNotFoundError as error:
        raise UserError("a result is missing", where=error.filename, fix=FIX) from None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise UserError("a result cannot be read", where=name, found=error, fix=FIX) from None
    history, queries = read_history(root / f"runs/{name}/history.csv"), ranking.queries
    by_seed = _by_seed(name, root, queries, seed)
    return Result(metrics, queries, by_seed, ending(history), cmc, ranking, history)


def _metrics(name: str, root: Path) -> Mapping[str, float]:
    found: dict[str, float] = json.loads((root / f"reports/metrics/{name}.json").read_text("utf-8"))
    return found


def _by_seed(name: str, root: Path, own: Queries, seed: int) -> Mapping[int, Queries]:
    """The table of seeds, if this training is the one that it has for `seed`.

    Else it is of other code, data or parameters, or of a machine that leaves other bytes.
    """
    path = root / seeds_file.FOLDER / f"{name}.csv"
    if not path.is_file():
        return {}
    found = seeds_file.read(path).by_seed
    belongs = seed in found and found[seed].columns() == own.columns()
    return found if belongs and np.array_equal(found[seed].query, own.query) else {}


def _curve(path: Path) -> NDArray[np.float64]:
    with path.open(newline="", encoding="utf-8") as file:
        return np.array([float(row["cmc"]) for row in csv.DictReader(file)])

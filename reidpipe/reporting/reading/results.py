"""What the stages left for each run, and what `reidpipe seeds --train` added to it."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
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
LEAST_SEEDS = 3
"""Fewer trainings say nothing of how far a metric scatters."""


@dataclass(frozen=True)
class Scores:
    """What tables and claims stand on."""

    metrics: Mapping[str, float]
    """Percent, as in `reports/metrics/RUN.json`."""
    queries: Queries
    by_seed: Mapping[int, Queries]
    """What the queries scored with each seed, this training's own among them; empty without."""
    endings: Mapping[int, Ending]
    """How each of these trainings ended, or the one; empty where its history is not here."""
    other_seeds: bool
    """Whether there is a table of seeds that belongs to other results."""


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
    results = {name: _result(name, root, seed) for name in expected}
    return {name: result for name, result in results.items() if len(result.queries.query)}


def load_scores(names: Iterable[str], root: Path, seed: int) -> dict[str, Scores]:
    """Scores of the evaluated ones of the runs `names`: of what is in git, and of what is here.

    Raises:
        UserError: a file cannot be read.
    """
    return {name: found for name in names if (found := _scores(name, root, seed)) is not None}


def _scores(name: str, root: Path, seed: int) -> Scores | None:
    metrics = _metrics(name, root)
    if "mAP" not in metrics:  # a data set of one camera
        return None
    table = root / queries_file.FOLDER / f"{name}.csv"
    with _read(name):
        queries = queries_file.parse(table.read_bytes(), table)
    by_seed, endings, other = _seeds(name, root, queries, seed)
    history = root / f"runs/{name}/history.csv"
    if not endings and history.exists():
        endings = {seed: ending(read_history(history))}
    return Scores(metrics, queries, by_seed, endings, other)


def _result(name: str, root: Path, seed: int) -> Result:
    metrics = _metrics(name, root)
    with _read(name):
        cmc = _curve(root / f"reports/cmc/{name}.csv")
        ranking = ranking_file.read(root / f"runs/{name}/ranking.npz")
    history = read_history(root / f"runs/{name}/history.csv")
    by_seed, endings, other = _seeds(name, root, ranking.queries, seed)
    endings = endings or {seed: ending(history)}
    return Result(metrics, ranking.queries, by_seed, endings, other, cmc, ranking, history)


def _metrics(name: str, root: Path) -> Mapping[str, float]:
    with _read(name):
        path = root / f"reports/metrics/{name}.json"
        found: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
    return found


@contextmanager
def _read(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise UserError("a result is missing", where=error.filename, fix=FIX) from None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise UserError("a result cannot be read", where=name, found=error, fix=FIX) from None


def _seeds(
    name: str, root: Path, own: Queries, seed: int
) -> tuple[Mapping[int, Queries], Mapping[int, Ending], bool]:
    """The table of seeds and how they ended, and whether there is one that does not belong here.

    It belongs where this training is the one that it has for `seed`. Else it is of other code, data
    or parameters, or of a machine that leaves other bytes.
    """
    path = root / seeds_file.FOLDER / f"{name}.csv"
    if not path.is_file():
        return {}, {}, False
    table = seeds_file.read(path)
    found = table.by_seed
    belongs = (
        len(found) >= LEAST_SEEDS
        and table.endings.keys() == found.keys()
        and seed in found
        and np.array_equal(found[seed].query, own.query)
        and found[seed].columns() == own.columns()
    )
    if not belongs:
        return {}, {}, True
    return found, {number: Ending(*table.endings[number]) for number in found}, False


def _curve(path: Path) -> NDArray[np.float64]:
    with path.open(newline="", encoding="utf-8") as file:
        return np.array([float(row["cmc"]) for row in csv.DictReader(file)])

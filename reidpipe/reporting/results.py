"""What the evaluate stage left for each run."""

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from reidpipe.errors import UserError

FIX = "dvc repro evaluate; for a run that is gone, delete its file in reports/metrics"


@dataclass(frozen=True)
class Ranking:
    """`runs/RUN/ranking.npz`: a row a valid query, of `Q` in all."""

    query: NDArray[np.int64]
    """Q, row among the queries of the manifest."""
    average_precision: NDArray[np.float64]
    """Q, in 0..1."""
    first_match: NDArray[np.int64]
    """Q, rank of the first true match, from 0."""
    top: NDArray[np.int64]
    """Q x k, rows among the gallery of the manifest; -1 where the list is shorter."""

    def scores(self, metric: str) -> NDArray[np.float64]:
        """Q figures in percent whose mean is `metric` (mAP or rankN)."""
        if metric == "mAP":
            return 100 * self.average_precision
        hits = self.first_match < int(metric.removeprefix("rank"))
        return 100 * hits.astype(np.float64)


@dataclass(frozen=True)
class Result:
    metrics: dict[str, float]
    """Percent, as in `reports/metrics/RUN.json`."""
    cmc: NDArray[np.float64]
    """Percent at ranks 1, 2, ..."""
    ranking: Ranking


def load_results(names: Iterable[str], root: Path) -> dict[str, Result]:
    """Results of exactly the runs `names` under the repository `root`.

    Raises:
        UserError: metrics of a run are missing, or there are some of a run that is not in dvc.yaml.
    """
    expected = list(names)
    found = sorted(path.stem for path in (root / "reports/metrics").glob("*.json"))
    if set(found) != set(expected):
        missing = sorted(set(expected) - set(found))
        extra = sorted(set(found) - set(expected))
        raise UserError(
            "the metrics are not those of the runs in dvc.yaml",
            where=root / "reports/metrics",
            expected=", ".join(expected),
            found=f"missing: {', '.join(missing) or 'none'}; extra: {', '.join(extra) or 'none'}",
            fix=FIX,
        )
    return {name: _load(name, root) for name in expected}


def _load(name: str, root: Path) -> Result:
    try:
        metrics = json.loads((root / f"reports/metrics/{name}.json").read_text(encoding="utf-8"))
        cmc = _curve(root / f"reports/cmc/{name}.csv")
        ranking = _ranking(root / f"runs/{name}/ranking.npz")
    except FileNotFoundError as error:
        raise UserError("a result is missing", where=error.filename, fix=FIX) from None
    except (ValueError, KeyError, TypeError, OSError, EOFError, BadZipFile) as error:
        raise UserError("a result cannot be read", where=name, found=error, fix=FIX) from None
    return Result(metrics, cmc, ranking)


def _curve(path: Path) -> NDArray[np.float64]:
    with path.open(newline="", encoding="utf-8") as file:
        return np.array([float(row["cmc"]) for row in csv.DictReader(file)])


def _ranking(path: Path) -> Ranking:
    with np.load(path, allow_pickle=False) as arrays:
        return Ranking(
            query=arrays["query"],
            average_precision=arrays["average_precision"],
            first_match=arrays["first_match"],
            top=arrays["top"],
        )

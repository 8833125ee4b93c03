"""What the evaluate stage left for each run."""

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reidpipe.errors import UserError
from reidpipe.formats import ranking as ranking_file
from reidpipe.formats.ranking import Ranking

FIX = "dvc repro evaluate; for a run that is gone, delete its file in reports/metrics"


@dataclass(frozen=True)
class Result:
    metrics: dict[str, float]
    """Percent, as in `reports/metrics/RUN.json`."""
    cmc: NDArray[np.float64]
    """Percent at ranks 1, 2, ..."""
    ranking: Ranking


def load_results(names: Iterable[str], root: Path) -> dict[str, Result]:
    """Results of exactly the runs `names` under the repository `root`, but of those evaluated.

    A data set of one camera is not.

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
    results = {name: _load(name, root) for name in expected}
    return {name: result for name, result in results.items() if len(result.ranking.query)}


def _load(name: str, root: Path) -> Result:
    try:
        metrics = json.loads((root / f"reports/metrics/{name}.json").read_text(encoding="utf-8"))
        cmc = _curve(root / f"reports/cmc/{name}.csv")
        ranking = ranking_file.read(root / f"runs/{name}/ranking.npz")
    except FileNotFoundError as error:
        raise UserError("a result is missing", where=error.filename, fix=FIX) from None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise UserError("a result cannot be read", where=name, found=error, fix=FIX) from None
    return Result(metrics, cmc, ranking)


def _curve(path: Path) -> NDArray[np.float64]:
    with path.open(newline="", encoding="utf-8") as file:
        return np.array([float(row["cmc"]) for row in csv.DictReader(file)])

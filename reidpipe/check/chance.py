"""How sure a difference is, from the rankings of both sides where both are at hand."""

import math
from collections.abc import Mapping
from pathlib import Path

from reidpipe.errors import UserError
from reidpipe.evaluation import compare, read_ranking
from reidpipe.params import BootstrapParams
from reidpipe.revisions import cached

_ROUNDING = 1e-6


def intervals(
    run: str, revision: str, values: Mapping[str, tuple[float, float]], bootstrap: BootstrapParams
) -> dict[str, tuple[float, float]]:
    """Paired bootstrap interval of new - old for each metric of `values`, name -> (old, new).

    Empty where nothing differs and in a fresh clone, which has no rankings; without the metrics
    that a ranking has another value of: after `git checkout` without `dvc checkout` it belongs to
    other results.

    Raises:
        UserError: a ranking is damaged, or the two are of different queries.
    """
    path = f"runs/{run}/ranking.npz"
    if all(old == new for old, new in values.values()):
        return {}
    try:
        before = cached(revision, path)
    except UserError:
        return {}
    if not Path(path).exists():
        return {}
    differences = compare(read_ranking(before), read_ranking(Path(path)), bootstrap)
    return {
        row.metric: (row.low, row.high)
        for row in differences
        if row.metric in values and _close((row.a, row.b), values[row.metric])
    }


def _close(found: tuple[float, float], expected: tuple[float, float]) -> bool:
    both = zip(found, expected, strict=True)
    return all(math.isclose(a, b, abs_tol=_ROUNDING) for a, b in both)

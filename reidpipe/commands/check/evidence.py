"""What a run's two sides left to judge a difference by: scores per query, and their networks."""

import math
from collections.abc import Mapping
from pathlib import PurePosixPath

import numpy as np

from reidpipe.commands.check.chance import Change
from reidpipe.commands.check.noise import in_workspace
from reidpipe.commands.scores import scores
from reidpipe.errors import UserError
from reidpipe.formats import lock, queries, seeds
from reidpipe.formats.queries import METRICS, Queries
from reidpipe.formats.seeds import Seeds
from reidpipe.runtime.git import names, show

_ROUNDING = 1e-3
"""Percentage points, between a metric and the mean of scores of six decimals."""


def change(
    run: str,
    revision: str,
    values: Mapping[str, tuple[float, float]],
    differences: Mapping[str, float],
    *,
    retrained: bool,
) -> Change:
    """What is known of a run whose metrics went from old to new `values`.

    Raises:
        UserError: its scores per query are damaged, or of other queries than before.
    """
    old, new = (
        found
        if found and _belongs(found, {metric: pair[side] for metric, pair in values.items()})
        else None
        for side, found in enumerate((_before(revision, run), _now(run)))
    )
    if old and new and not np.array_equal(old.query, new.query):
        raise UserError(
            "the queries are others",
            expected=f"those of {revision}, {len(old.query)} of them",
            found=f"{len(new.query)} of them",
        )
    known = {metric: value for metric, value in differences.items() if metric in METRICS}
    return Change(run, known, old, new, retrained)


def _before(revision: str, run: str) -> Queries | None:
    try:
        return scores(f"{revision}:{run}")
    except UserError:  # nothing is known of its queries
        return None


def _now(run: str) -> Queries | None:
    return scores(run) if (queries.FOLDER / f"{run}.csv").exists() else None


def _belongs(scores: Queries, metrics: Mapping[str, float]) -> bool:
    """Whether these are the scores of these metrics: a checkout may have left others."""
    found = scores.percent()
    return all(
        math.isclose(float(found[name].mean()), value, abs_tol=_ROUNDING)
        for name, value in metrics.items()
        if name in found
    )


def seed_tables(revision: str) -> dict[str, Seeds]:
    """The tables of seeds by run: those of `revision`, by which nobody who changes it is judge.

    Those of the workspace where it has none.

    Raises:
        UserError: one of them cannot be read.
    """
    folder = seeds.FOLDER.as_posix()
    found = {
        path: show(revision, path) for path in names(revision, folder) if path.endswith(".csv")
    }
    tables = {
        PurePosixPath(path).stem: seeds.parse(content, f"{revision}:{path}")
        for path, content in found.items()
        if seeds.is_table(content)
    }
    return tables or in_workspace()


def same_networks(revision: str) -> set[str]:
    """Runs whose network has the same bytes on both sides, by the two locks."""
    try:
        before, now = (lock.networks(lock.stages(name)) for name in (revision, ""))
    except UserError:  # a repository without locks
        return set()
    return {run for run, md5 in now.items() if md5 and before.get(run) == md5}

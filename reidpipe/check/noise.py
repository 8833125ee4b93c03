"""How far the metrics scatter from training to training, by what `reidpipe seeds --train` left.

Two trainings that differ in their seed alone are two draws. Their means over the queries differ for
two reasons: each query has luck of its own, which the bootstrap over queries sees as well, and one
network is better than the other for all of them, which only several trainings can tell. A `Spread`
has both together (`whole`) and the second alone (`common`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reidpipe.formats import seeds
from reidpipe.formats.queries import Floats
from reidpipe.runtime.streams import stream

PRIOR = 8
"""Trainings that the spread of all runs together counts for beside a run's own: five seeds alone
tell a variance to a factor of two or three."""
_TRAININGS = 2
"""A training on each side."""


@dataclass(frozen=True)
class Spread:
    """Covariance of the METRICS over trainings, in percentage points squared, M x M."""

    whole: Floats
    common: Floats
    freedom: int
    """Degrees of freedom that it is known by."""

    def draws(self, samples: int, key: str, *, with_queries: bool) -> Floats:
        """Differences of two trainings, samples x M.

        Args:
            samples: how many.
            key: of the random stream.
            with_queries: whether to draw the luck of single queries, too; else a bootstrap does.
        """
        covariance = _TRAININGS * (self.whole if with_queries else self.common)
        random = stream("training", key)
        values, vectors = np.linalg.eigh(covariance)
        half = vectors * np.sqrt(values.clip(0))
        normal: Floats = random.standard_normal((samples, len(half))) @ half.T
        # Student's: the covariance is itself an estimate.
        return normal * np.sqrt(self.freedom / random.chisquare(self.freedom, (samples, 1)))


@dataclass(frozen=True)
class Noise:
    """The spread of every run that has seeds, and of all others."""

    own: Mapping[str, Spread]
    pooled: Spread | None
    """None where no run has two seeds of this profile."""

    def of(self, run: str) -> Spread | None:
        return self.own.get(run, self.pooled)


def noise(profile: str, folder: Path = seeds.FOLDER) -> Noise:
    """What the tables of seeds in `folder` say of `profile`.

    Raises:
        UserError: one of them cannot be read.
    """
    paths = [path for path in sorted(folder.glob("*.csv")) if seeds.is_table(path)]
    tables = {path.stem: seeds.read(path) for path in paths}
    several = {
        run: table.matrix()
        for run, table in tables.items()
        if table.profile == profile and len(table.by_seed) > 1
    }
    if not several:
        return Noise({}, None)
    raw = {run: spread(scores) for run, scores in several.items()}
    pooled = _mean(list(raw.values()))
    prior = Spread(pooled.whole, pooled.common, min(PRIOR, pooled.freedom))
    return Noise({run: _mean([prior, found]) for run, found in raw.items()}, pooled)


def spread(scores: Floats) -> Spread:
    """Of one run, from its scores (seeds x queries x METRICS)."""
    freedom, queries = len(scores) - 1, scores.shape[1]
    by_seed = scores.mean(axis=1)
    whole = np.cov(by_seed, rowvar=False)
    rest = scores - by_seed[:, None] - scores.mean(axis=0) + scores.mean(axis=(0, 1))
    # What the queries' own luck adds to the variance of a mean over them.
    of_queries = (rest**2).sum(axis=(0, 1)) / (freedom * (queries - 1)) / queries
    variance = whole.diagonal()
    share = np.divide(of_queries, variance, out=np.ones_like(variance), where=variance > 0)
    scale = np.sqrt((1 - share).clip(0))
    return Spread(whole, whole * np.outer(scale, scale), freedom)


def _mean(spreads: list[Spread]) -> Spread:
    """Weighed by what each is known by."""
    freedom = [found.freedom for found in spreads]
    whole, common = (
        np.average([getattr(found, part) for found in spreads], axis=0, weights=freedom)
        for part in ("whole", "common")
    )
    return Spread(whole, common, sum(freedom))

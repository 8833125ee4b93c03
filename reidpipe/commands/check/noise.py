"""How far the metrics scatter from training to training, by what `reidpipe seeds --train` left.

Two trainings that differ in their seed alone are two draws. Their means over the queries differ for
two reasons: each query has luck of its own, which the bootstrap over queries sees as well, and one
network is better than the other for all of them, which only several trainings can tell. A `Scatter`
has both together (`whole`) and the second alone (`common`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reidpipe.formats import seeds
from reidpipe.formats.queries import Floats
from reidpipe.formats.seeds import Seeds
from reidpipe.runtime.streams import stream

PRIOR = 8
"""Trainings that the scatter of all runs together counts for beside a run's own: five seeds alone
tell a variance to a factor of two or three."""
_TRAININGS = 2
"""A training on each side."""
_FEW = 3
"""Seeds that runs must share for their scatter to be seen together."""


@dataclass(frozen=True)
class Scatter:
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
        # The symmetric root: the signs of eigenvectors differ between libraries.
        root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
        normal: Floats = random.standard_normal((samples, len(root))) @ root
        # Student's: the covariance is itself an estimate.
        return normal * np.sqrt(self.freedom / random.chisquare(self.freedom, (samples, 1)))


@dataclass(frozen=True)
class Noise:
    """The scatter of every run that has seeds, and of all others."""

    own: Mapping[str, Scatter]
    others: Scatter | None
    """Of a run without seeds; None where no run has two seeds of this profile."""
    by_seed: Mapping[str, Mapping[int, Floats]]
    """METRICS by run and seed."""

    def of(self, run: str) -> Scatter | None:
        return self.own.get(run, self.others)

    def of_mean(self, runs: Sequence[str]) -> Scatter | None:
        """Of the mean over `runs`, which share their seeds and so a part of their luck.

        Runs with one seed see the same batches. What they share is known by few seeds: it is
        weighed with what independent trainings would give, and never taken for less than that.
        """
        single = [found for run in runs if (found := self.of(run))]
        if not runs or len(single) < len(runs):
            return None
        whole, common = (
            np.sum([getattr(found, part) for found in single], axis=0) / len(runs) ** 2
            for part in ("whole", "common")
        )
        free = sum(found.freedom for found in single)
        tables = [self.by_seed[run] for run in runs if run in self.by_seed]
        seeds_of = [set(table) for table in tables]
        shared: set[int] = set.intersection(*seeds_of) if seeds_of else set()
        if len(tables) < len(runs) or len(shared) < _FEW:
            return Scatter(whole, common, free)
        means = np.mean([[table[seed] for seed in sorted(shared)] for table in tables], axis=0)
        seen = np.cov(means, rowvar=False)
        together = _mean(
            [
                Scatter(whole, common, PRIOR),
                Scatter(seen, _shrunk(seen, (whole - common).diagonal()), len(shared) - 1),
            ]
        )
        wider = (_widened(together.whole, whole), _widened(together.common, common))
        return Scatter(*wider, together.freedom)


def noise(tables: Mapping[str, Seeds], profile: str) -> Noise:
    """What tables of seeds, by run, say of `profile`."""
    several = {
        run: table
        for run, table in tables.items()
        if table.profile == profile and len(table.by_seed) > 1
    }
    if not several:
        return Noise({}, None, {})
    raw = {run: scatter(table.matrix()) for run, table in several.items()}
    pooled = _mean(list(raw.values()))
    prior = Scatter(pooled.whole, pooled.common, min(PRIOR, pooled.freedom))
    own = {run: _mean([prior, found]) for run, found in raw.items()}
    by_seed = {
        run: {seed: queries.matrix().mean(axis=0) for seed, queries in table.by_seed.items()}
        for run, table in several.items()
    }
    return Noise(own, prior, by_seed)


def in_workspace(folder: Path = seeds.FOLDER) -> dict[str, Seeds]:
    """The tables of seeds in `folder`, by run.

    Raises:
        UserError: one of them cannot be read.
    """
    paths = [path for path in sorted(folder.glob("*.csv")) if seeds.is_table(path.read_bytes())]
    return {path.stem: seeds.parse(path.read_bytes(), path) for path in paths}


def scatter(scores: Floats) -> Scatter:
    """Of one run, from its scores (seeds x queries x METRICS)."""
    freedom, queries = len(scores) - 1, scores.shape[1]
    by_seed = scores.mean(axis=1)
    whole = np.cov(by_seed, rowvar=False)
    rest = scores - by_seed[:, None] - scores.mean(axis=0) + scores.mean(axis=(0, 1))
    # What the queries' own luck adds to the variance of a mean over them.
    of_queries = (rest**2).sum(axis=(0, 1)) / (freedom * max(1, queries - 1)) / queries
    return Scatter(whole, _shrunk(whole, of_queries), freedom)


def _shrunk(covariance: Floats, variance: Floats) -> Floats:
    """A covariance without a part of its diagonal; correlations stay."""
    diagonal = covariance.diagonal()
    share = np.divide(variance, diagonal, out=np.ones_like(diagonal), where=diagonal > 0)
    return _scaled(covariance, (1 - share).clip(0))


def _widened(covariance: Floats, least: Floats) -> Floats:
    """A covariance whose diagonal is no smaller than that of `least`."""
    diagonal = covariance.diagonal()
    ratio = np.divide(least.diagonal(), diagonal, out=np.ones_like(diagonal), where=diagonal > 0)
    return _scaled(covariance, ratio.clip(1))


def _scaled(covariance: Floats, factors: Floats) -> Floats:
    scaled: Floats = covariance * np.sqrt(np.outer(factors, factors))
    return scaled


def _mean(scatters: list[Scatter]) -> Scatter:
    """Weighed by what each is known by."""
    freedom = [found.freedom for found in scatters]
    whole, common = (
        np.average([getattr(found, part) for found in scatters], axis=0, weights=freedom)
        for part in ("whole", "common")
    )
    return Scatter(whole, common, sum(freedom))

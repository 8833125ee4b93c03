"""Trainings as a model of two ways makes them: a query's level, a training's luck, the rest."""

import numpy as np

from reidpipe.formats.queries import Queries
from reidpipe.formats.seeds import Seeds
from reidpipe.runtime.streams import stream

QUERIES = 150
COMMON, REST = 0.02, 0.1
"""Standard deviations of average precision, between trainings and around them."""


def training(run: str, seed: int, *, shift: float = 0.0, common: float = COMMON) -> Queries:
    """What the queries of `run` score when it is trained with `seed`."""
    level = stream(run, "level").uniform(0.3, 0.7, QUERIES)
    luck = stream(run, seed, "luck").normal(0, common)
    rest = stream(run, seed, "rest").normal(0, REST, QUERIES)
    precision = (level + luck + rest + shift).clip(0, 1)
    first = np.where(precision > 0.5, 1, 7)
    return Queries(np.arange(QUERIES), precision, precision / 2, first)


def table(run: str, seeds: range, common: float = COMMON) -> Seeds:
    found = {seed: training(run, seed, common=common) for seed in seeds}
    return Seeds("embedded", "hash", found)

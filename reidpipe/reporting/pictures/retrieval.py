"""Which rank lists the page shows: three queries per run, the same for every variant."""

from dataclasses import dataclass

import numpy as np

from reidpipe.reporting.pictures.pictures import DataSet
from reidpipe.reporting.pictures.rank_list import RankList, chosen, rank_list
from reidpipe.reporting.reading.inputs import Inputs
from reidpipe.reporting.reading.published import DATASETS
from reidpipe.reporting.science.tables import Table

OURS = "Ours"


@dataclass(frozen=True)
class Lists:
    """Best, median and worst query of one run."""

    run: str
    title: str
    data: DataSet
    lists: tuple[RankList, ...]


@dataclass(frozen=True)
class Variants:
    """One query as each variant of Table 1 answers it, by the variant's name."""

    kind: str
    lists: dict[str, RankList]


def own_runs(inputs: Inputs) -> dict[str, Table]:
    """The rebuilt rows that are called Ours: run -> its table."""
    return {
        run: table
        for table in inputs.tables
        for run, row in table.rebuilt.items()
        if row.method == OURS
    }


def title(table: Table) -> str:
    return f"{DATASETS.get(table.dataset, table.dataset)}, Table {table.number}"


def rank_lists(inputs: Inputs) -> list[Lists]:
    """Three lists for each run of Ours."""
    found = []
    for run, table in own_runs(inputs).items():
        data, ranking = inputs.data_set(table.dataset), inputs.results[run].ranking
        lists = tuple(
            rank_list(kind, row, ranking, data, images=inputs.images)
            for kind, row in chosen(ranking).items()
        )
        found.append(Lists(run, title(table), data, lists))
    return found


def across_variants(inputs: Inputs) -> list[Variants]:
    """The three queries of Table 1's Ours, answered by every rebuilt row of that table."""
    table = inputs.tables[0]
    runs = {row.method: run for run, row in table.rebuilt.items()}
    if OURS not in runs:
        return []
    data, ours = inputs.data_set(table.dataset), inputs.results[runs[OURS]].ranking
    found = []
    for kind, row in chosen(ours).items():
        lists = {}
        for method, run in runs.items():
            ranking = inputs.results[run].ranking
            same = int(np.flatnonzero(ranking.query == ours.query[row])[0])
            lists[method] = rank_list(kind, same, ranking, data, images=inputs.images)
        found.append(Variants(kind, lists))
    return found

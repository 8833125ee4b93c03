"""Tables 1-4: published beside rebuilt. What a row says here, `formats` writes down."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal

import numpy as np

from reidpipe.formats.params import Params
from reidpipe.formats.queries import METRICS, Queries
from reidpipe.metrics.bootstrap import Difference, interval
from reidpipe.reporting.reading.experiment import Run
from reidpipe.reporting.reading.published import (
    DATASETS,
    LABELS,
    Published,
    PublishedRow,
    PublishedTable,
    unpublished,
)
from reidpipe.reporting.reading.results import Scores
from reidpipe.reporting.science.ending import Ending
from reidpipe.reporting.science.paired import Pairs
from reidpipe.runtime.settings import OURS

Status = Literal[
    "rebuilt",
    "cited",
    "left out",
    "not evaluated",
    "not in the paper",
    "not trained here",
    "of another split",
]
"""Of features from elsewhere the last two, or that they were not evaluated."""
CENT = Decimal("0.01")


@dataclass(frozen=True)
class Cell:
    """One figure, in percent."""

    published: Decimal | None = None
    rebuilt: Decimal | None = None
    """Of one training, or the mean over `seeds`."""
    low: Decimal | None = None
    high: Decimal | None = None
    std: Decimal | None = None
    """Over `seeds`, of a sample; None of one training."""
    seeds: int | None = None
    """Trainings that the figure is a mean of; None where it is of one."""

    @property
    def difference(self) -> Decimal | None:
        """Points from the published to the rebuilt figure, both as they are shown."""
        if self.published is None or self.rebuilt is None:
            return None
        return self.rebuilt - self.published


@dataclass(frozen=True)
class Row:
    method: str
    run: str | None
    status: Status
    cells: dict[str, Cell]
    versus_baseline: Difference | None = None
    """mAP against the table's baseline on the same queries (paired bootstrap)."""
    as_started: bool = True
    """Whether the run began as the table's title says, pre-trained or not."""
    endings: Mapping[int, Ending] = field(default_factory=dict)
    """How its trainings ended, by seed; empty where nothing was trained or no history is here."""
    other_seeds: bool = False
    """Whether reports/seeds has other trainings of it."""

    @property
    def undertrained(self) -> bool:
        """Whether a training that the figures stand on was not at its end."""
        return not all(end.reached for end in self.endings.values())


@dataclass(frozen=True)
class Table:
    id: str
    title: str
    dataset: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    profile: str
    baseline: str | None
    forms: tuple[str, ...] = ()
    """Of the notes those on what the rows are."""

    @property
    def against(self) -> str:
        """What the baseline is called in a sentence."""
        return "baseline" if self.baseline == "Baseline" else self.baseline or ""

    @property
    def number(self) -> str:
        return self.id.removeprefix("table")

    @property
    def rebuilt(self) -> dict[str, Row]:
        """The rows that the pipeline trained, by their run."""
        trained = ("rebuilt", "not in the paper")
        return {row.run: row for row in self.rows if row.run and row.status in trained}

    def best(self, column: str, kind: Literal["published", "rebuilt"]) -> Decimal | None:
        """The highest figure of a column; None where it has fewer than two to compare."""
        found = [getattr(row.cells[column], kind) for row in self.rows]
        values = [value for value in found if value is not None]
        return max(values) if len(values) > 1 else None


def rebuilt(tables: Sequence[Table]) -> dict[str, Row]:
    """The rows of all tables that the pipeline trained, by their run."""
    return {run: row for table in tables for run, row in table.rebuilt.items()}


def warning(params: Params) -> str:
    """What a reader must know before any number; empty for the paper's profile."""
    if params.profile == "paper":
        return ""
    return (
        "EMBEDDED PROFILE: synthetic people, a small network, minutes of training; pre-training is "
        "on other synthetic people. These numbers are NOT comparable with the paper's; the "
        "differences are arithmetic only."
    )


def setup(params: Params) -> str:
    """The set-up behind the rebuilt numbers in one line."""
    train, boot = params.active.train, params.active.evaluate.bootstrap
    height, width = train["image_size"]
    backbone = params.active.systems[OURS]["backbone"]
    return (
        f"Profile {params.profile}: {backbone}, {height}x{width} pixels, {train['epochs']} "
        f"epochs, seed {params.seed}. In percent: mean ± standard deviation over n seeds, or one "
        f"training with [low, high], the {boot['confidence']:.0%} bootstrap interval over queries "
        f"({boot['samples']} samples)."
    )


def build_tables(
    published: Published,
    runs: Mapping[str, Run],
    results: Mapping[str, Scores],
    params: Params,
    pairs: Pairs,
) -> list[Table]:
    """Tables 1-4 in the paper's order, each row of the paper and each run that the paper lacks.

    Runs on other data sets, or from another start, follow in tables of their own, from 5 on.
    """
    found = sources(published, runs)
    named = in_the_paper(published)
    return [build_table(source, runs, results, params, pairs, named=named) for source in found]


def sources(published: Published, runs: Mapping[str, Run]) -> list[PublishedTable]:
    """What the paper prints of each table; those of its own have no rows."""
    named = in_the_paper(published)
    rest = ((run.dataset, run.pretrained) for name, run in runs.items() if name not in named)
    return [*published.tables, *unpublished(published.tables, rest)]


def in_the_paper(published: Published) -> set[str]:
    """Runs that a row of the paper names; they stand in its table alone."""
    return {row.run for source in published.tables for row in source.rows if row.run}


def rows_of(
    source: PublishedTable, runs: Mapping[str, Run], named: Collection[str]
) -> list[PublishedRow]:
    """The paper's rows, then the runs that none of its tables has, which are `named`."""
    extra = [
        PublishedRow.model_validate({"method": name, "run": name})
        for name, run in runs.items()
        if (run.dataset, run.pretrained) == (source.dataset, source.pretrained)
        and name not in named
    ]
    return [*source.rows, *extra]


def build_table(
    source: PublishedTable,
    runs: Mapping[str, Run],
    results: Mapping[str, Scores],
    params: Params,
    pairs: Pairs,
    *,
    named: Collection[str],
) -> Table:
    """One table; rows without a result say why."""
    baseline = source.row(source.baseline).run if source.baseline else None
    bootstrap = params.active.evaluate.bootstrap
    rows = []
    for row in rows_of(source, runs, named):
        result = results.get(row.run or "")
        rows.append(
            Row(
                method=row.trained_as if result else row.method,
                run=row.run,
                status=_status(row, result, trained=row.run in runs),
                cells=cells(row, source.columns, result, bootstrap),
                versus_baseline=_versus(row.run, baseline, results, pairs),
                as_started=_as_started(row, source, runs),
                endings=result.endings if result else {},
                other_seeds=bool(result and result.other_seeds),
            )
        )
    forms = _forms(source, rows, runs)
    caution = warning(params) if source.rows else ""  # else there is nothing to compare with
    return Table(
        id=source.id,
        title=source.title,
        dataset=source.dataset,
        columns=source.columns,
        rows=tuple(rows),
        notes=tuple(
            filter(
                None,
                (
                    *(caution, _left_out(source, rows), _undertrained(rows)),
                    *(_other_seeds(rows), setup(params), " ".join(forms)),
                ),
            )
        ),
        forms=forms,
        profile=params.profile,
        baseline=source.baseline,
    )


def _as_started(row: PublishedRow, source: PublishedTable, runs: Mapping[str, Run]) -> bool:
    run = runs.get(row.run or "")
    return run is None or run.pretrained == source.pretrained


def _versus(
    run: str | None, baseline: str | None, results: Mapping[str, Scores], pairs: Pairs
) -> Difference | None:
    if run is None or baseline is None or run == baseline or not {run, baseline} <= results.keys():
        return None
    return pairs.difference(run, baseline, "mAP")


def _status(source: PublishedRow, result: Scores | None, *, trained: bool) -> Status:
    if source.run is None:
        return "cited"
    if result is None:
        return "not evaluated" if trained else "left out"
    return "rebuilt" if source.values else "not in the paper"


def cells(
    source: PublishedRow,
    columns: tuple[str, ...],
    result: Scores | None,
    bootstrap: Mapping[str, Any],
) -> dict[str, Cell]:
    """The figures of a row: over seeds where the run has some, else of its one training."""
    if result is None:
        return {name: Cell(source.values.get(name)) for name in columns}
    if result.by_seed:
        over = _over_seeds(result.by_seed, bootstrap)
        return {name: replace(over[name], published=source.values.get(name)) for name in columns}
    found = result.metrics
    return {
        name: Cell(
            source.values.get(name),
            _percent(found.get(name)),
            _percent(found.get(f"{name}_low")),
            _percent(found.get(f"{name}_high")),
        )
        for name in columns
    }


def _over_seeds(by_seed: Mapping[int, Queries], bootstrap: Mapping[str, Any]) -> dict[str, Cell]:
    """Mean, bounds and standard deviation of each metric over the seeds of a run."""
    scores = np.stack([queries.matrix() for queries in by_seed.values()])
    means = scores.mean(axis=1)
    low, high = interval(scores, **bootstrap)
    std = means.std(axis=0, ddof=1)
    return {
        name: Cell(
            rebuilt=_percent(means[:, i].mean()),
            low=_percent(max(low[i], 0.0)),
            high=_percent(min(high[i], 100.0)),
            std=_percent(std[i]),
            seeds=len(scores),
        )
        for i, name in enumerate(METRICS)
    }


def _percent(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(repr(float(value))).quantize(CENT)


def _left_out(source: PublishedTable, rows: list[Row]) -> str:
    missing = [row.run or "" for row in rows if row.status == "left out"]
    if not missing:
        return ""
    name = DATASETS.get(source.dataset, source.dataset)
    if all(row.status in ("left out", "cited") for row in rows):
        return f"{name} was left out of this pipeline: runs.yaml has no run {', '.join(missing)}."
    return f"Left out of this pipeline: {', '.join(missing)}."


def _forms(source: PublishedTable, rows: list[Row], runs: Mapping[str, Run]) -> tuple[str, ...]:
    """That rows are other networks than Ours, and where their form is not the published one."""
    trained = {row.run for row in rows if row.status == "rebuilt" and row.run}
    if all(runs[run].system == OURS for run in trained):
        return ()
    notes = [
        f"{row.trained_as}: {row.note}" for row in source.rows if row.note and row.run in trained
    ]
    own = "Compared systems have networks, image sizes and lengths of their own (docs/systems.md)."
    return (own, *notes)


def _undertrained(rows: list[Row]) -> str:
    early = [
        f"{row.run} with seed {seed} ({end})"
        for row in rows
        for seed, end in row.endings.items()
        if not end.reached
    ]
    if not early:
        return ""
    return f"Not trained to the end: {', '.join(early)}. The end may reverse what is seen here."


def _other_seeds(rows: list[Row]) -> str:
    runs = " ".join(row.run or "" for row in rows if row.other_seeds)
    if not runs:
        return ""
    return (
        f"reports/seeds is of other trainings: reidpipe seeds --train 0-4 {runs} makes them anew."
    )


def column_labels(table: Table) -> list[str]:
    return [LABELS[column] for column in table.columns]

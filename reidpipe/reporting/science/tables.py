"""Tables 1-4: published beside rebuilt. What a row says here, `formats` writes down."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from reidpipe.formats.params import Params
from reidpipe.metrics.bootstrap import Difference
from reidpipe.reporting.reading.experiment import Run
from reidpipe.reporting.reading.published import (
    DATASETS,
    LABELS,
    Published,
    PublishedRow,
    PublishedTable,
    unpublished,
)
from reidpipe.reporting.reading.results import Result
from reidpipe.reporting.science.paired import Pairs

Status = Literal["rebuilt", "cited", "left out", "not evaluated", "not in the paper"]
CENT = Decimal("0.01")


@dataclass(frozen=True)
class Cell:
    """One figure, in percent."""

    published: Decimal | None = None
    rebuilt: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None

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
    height, width = train.image_size
    backbone = params.active.systems.ours["backbone"]
    return (
        f"Profile {params.profile}: {backbone}, {height}x{width} pixels, {train.epochs} "
        f"epochs, seed {params.seed}. In percent; [low, high] is the {boot['confidence']:.0%} "
        f"bootstrap interval over queries ({boot['samples']} samples)."
    )


def build_tables(
    published: Published,
    runs: Mapping[str, Run],
    results: Mapping[str, Result],
    params: Params,
    pairs: Pairs,
) -> list[Table]:
    """Tables 1-4 in the paper's order, each row of the paper and each run that the paper lacks.

    Runs on other data sets, or from another start, follow in tables of their own, from 5 on.
    """
    others = unpublished(published.tables, ((run.dataset, run.pretrained) for run in runs.values()))
    sources = (*published.tables, *others)
    return [_table(table, runs, results, params, pairs) for table in sources]


def _table(
    source: PublishedTable,
    runs: Mapping[str, Run],
    results: Mapping[str, Result],
    params: Params,
    pairs: Pairs,
) -> Table:
    extra = [
        PublishedRow.model_validate({"method": name, "run": name})
        for name, run in runs.items()
        if (run.dataset, run.pretrained) == (source.dataset, source.pretrained)
        and name not in {row.run for row in source.rows}
    ]
    baseline = source.row(source.baseline).run if source.baseline else None
    rows = [
        _row(row, source, results, baseline, pairs, trained=row.run in runs)
        for row in (*source.rows, *extra)
    ]
    caution = warning(params) if source.rows else ""  # else there is nothing to compare with
    return Table(
        id=source.id,
        title=source.title,
        dataset=source.dataset,
        columns=source.columns,
        rows=tuple(rows),
        notes=tuple(filter(None, (caution, _left_out(source, rows), setup(params)))),
        profile=params.profile,
        baseline=source.baseline,
    )


def _row(
    source: PublishedRow,
    table: PublishedTable,
    results: Mapping[str, Result],
    baseline: str | None,
    pairs: Pairs,
    *,
    trained: bool,
) -> Row:
    result = results.get(source.run or "")
    cells: dict[str, Cell] = {name: _cell(name, source, result) for name in table.columns}
    compared = result and baseline in results and source.run != baseline
    return Row(
        method=source.method,
        run=source.run,
        status=_status(source, result, trained=trained),
        cells=cells,
        versus_baseline=(
            pairs.difference(source.run, baseline, "mAP")
            if compared and source.run and baseline
            else None
        ),
    )


def _status(source: PublishedRow, result: Result | None, *, trained: bool) -> Status:
    if source.run is None:
        return "cited"
    if result is None:
        return "not evaluated" if trained else "left out"
    return "rebuilt" if source.values else "not in the paper"


def _cell(column: str, source: PublishedRow, result: Result | None) -> Cell:
    published = source.values.get(column)
    if result is None:
        return Cell(published)
    found = [_percent(result.metrics.get(column + end)) for end in ("", "_low", "_high")]
    return Cell(published, *found)


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


def column_labels(table: Table) -> list[str]:
    return [LABELS[column] for column in table.columns]

"""What `reidpipe seeds` left in reports/seeds: how far the figures scatter from seed to seed."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reidpipe.errors import UserError
from reidpipe.files import write_text
from reidpipe.formats.seeds import is_table
from reidpipe.reporting.formats import grid
from reidpipe.reporting.reading.results import Result

READING = (
    "Mean and standard deviation (of a sample) over experiments that differ in their seed alone."
)
OUTDATED = "These figures belong to other results than the tables: run `reidpipe seeds` again."


@dataclass(frozen=True)
class Line:
    run: str
    setting: str
    values: Mapping[int, float]
    """Percent, by seed."""
    mean: float
    std: float


@dataclass(frozen=True)
class SeedTable:
    metric: str
    lines: Sequence[Line]
    current: bool
    """Whether the rebuilt figures of this seed are among its values, for every run."""


def seed_tables(folder: Path, results: Mapping[str, Result], seed: int) -> list[SeedTable]:
    """One table per metric, none where `reidpipe seeds` has never run.

    Raises:
        UserError: a file is not one that `reidpipe seeds` wrote.
    """
    paths = [path for path in sorted(folder.glob("*.csv")) if not is_table(path.read_bytes())]
    return [_table(path, results, seed) for path in paths]


def _table(path: Path, results: Mapping[str, Result], seed: int) -> SeedTable:
    metric = path.stem
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = [_line(row) for row in csv.DictReader(file)]
    except (KeyError, ValueError, AttributeError) as error:
        raise UserError(
            "not a table that reidpipe seeds wrote",
            where=path,
            found=error,
            fix=f"reidpipe seeds {metric}, or delete it",
        ) from None
    stale = [
        run
        for run in {line.run for line in lines}
        if run not in results or not _has(lines, run, seed, results[run].metrics.get(metric))
    ]
    return SeedTable(metric, lines, not stale)


def _line(row: Mapping[str, str]) -> Line:
    seeds, values = row["seeds"].split(), row["values"].split()
    by_seed = {int(seed): float(value) for seed, value in zip(seeds, values, strict=True)}
    return Line(row["run"], row["setting"], by_seed, float(row["mean"]), float(row["std"]))


def _has(lines: Sequence[Line], run: str, seed: int, figure: float | None) -> bool:
    found = [line.values.get(seed) for line in lines if line.run == run]
    return figure is not None and any(
        value is not None and math.isclose(value, figure, abs_tol=1e-9) for value in found
    )


def write_seeds(tables: Sequence[SeedTable], folder: Path) -> None:
    """`seeds-METRIC.md` for each table."""
    header = ("run", "setting", "n", "mean", "std", "seeds")
    for table in tables:
        rows = [
            (
                *(line.run, line.setting, str(len(line.values))),
                *(f"{line.mean:.2f}", f"{line.std:.2f}", " ".join(map(str, line.values))),
            )
            for line in table.lines
        ]
        notes = [] if table.current else [f"**{OUTDATED}**"]
        text = [f"# {table.metric} over seeds", *notes, READING, grid(header, rows, left=2)]
        write_text(folder / f"seeds-{table.metric}.md", "\n\n".join(text))

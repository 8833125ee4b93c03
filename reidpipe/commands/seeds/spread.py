"""Mean, standard deviation and number of a metric over seeds, a line per run and setting."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from reidpipe.commands.seeds.experiments import Experiment
from reidpipe.errors import UserError, nearest
from reidpipe.files import write_csv

FOLDER = Path("reports/seeds")
HEADER = ("metric", "run", "setting", "n", "mean", "std", "seeds", "values")


@dataclass(frozen=True)
class Spread:
    """A metric of one run over several seeds of one setting."""

    metric: str
    run: str
    setting: str
    """The parameters that tell it from other settings; empty where there is but one."""
    values: Mapping[int, float]
    """By seed."""

    @property
    def mean(self) -> float:
        return mean(self.values.values())

    @property
    def std(self) -> float:
        """Of a sample: divided by n - 1."""
        return stdev(self.values.values())

    @property
    def cells(self) -> tuple[object, ...]:
        """As HEADER says."""
        numbers = len(self.values), self.mean, self.std
        return (
            self.metric,
            self.run,
            self.setting,
            *numbers,
            [*self.values],
            [*self.values.values()],
        )


def spreads(metric: str, found: Sequence[Experiment]) -> list[Spread]:
    """Every run and setting that has two seeds or more.

    Raises:
        UserError: there are none, a value is no finite number, or one seed has two results.
    """
    settings: dict[str, dict[frozenset[tuple[str, str]], list[Experiment]]] = {}
    for one in found:
        own = settings.setdefault(one.run, {})
        own.setdefault(frozenset(one.settings.items()), []).append(one)
    rows = [
        Spread(metric, run, name, values)
        for run, several in settings.items()
        for name, own in zip(_names(list(several)), several.values(), strict=True)
        if len(values := _by_seed(metric, own)) > 1
    ]
    if not rows:
        raise _nothing(metric, found)
    return sorted(rows, key=lambda row: (row.run, row.setting))


def _by_seed(metric: str, own: Sequence[Experiment]) -> dict[int, float]:
    values: dict[int, float] = {}
    for one in sorted(own, key=lambda one: one.seed):
        if metric not in one.metrics:
            continue
        value, where = one.metrics[metric], f"experiment {one.name}, run {one.run}"
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise UserError(f"{metric} is not a finite number", where=where, found=value)
        if (known := values.setdefault(one.seed, value)) != value:
            raise UserError(
                f"two experiments of seed {one.seed} have different results",
                where=where,
                expected=known,
                found=value,
                fix=f"remove the one that does not hold: dvc exp remove {one.name}",
            )
    return values


def _names(settings: Sequence[frozenset[tuple[str, str]]]) -> Iterator[str]:
    """What tells each setting of a run from the others, shortly."""
    found = [dict(one) for one in settings]
    keys = sorted({key for one in found for key in one})
    telling = [key for key in keys if len({one.get(key) for one in found}) > 1]
    # What only some settings have is a consequence, as a digest of code may be.
    choices = [k for k in telling if all(k in one for one in found) and not k.endswith(".code")]
    for one in found:
        same = [other for other in found if all(one[key] == other[key] for key in choices)]
        parts = [f"{key.rpartition('.')[2]}={one[key]}" for key in choices]
        if len(same) > 1:
            parts.append(f"variant {same.index(one) + 1}")
        yield ", ".join(parts)


def _nothing(metric: str, found: Sequence[Experiment]) -> UserError:
    known = sorted({name for one in found for name in one.metrics})
    if known and metric not in known:
        return UserError(
            f"no experiment has the metric {metric!r}",
            expected=", ".join(known),
            fix=nearest(metric, known),
        )
    return UserError(
        "no two experiments of this commit differ in their seed alone",
        expected="experiments with other values of seed, and the same parameters and code",
        found=", ".join(sorted({f"{one.name} (seed {one.seed})" for one in found}))
        or "none with results",
        fix="dvc exp run --queue -S seed=1,2 && dvc queue start",
    )


def write(rows: Sequence[Spread], folder: Path = FOLDER) -> Path:
    """Write METRIC.csv, with exact values, where the report looks for it; lists with spaces."""
    path = folder / f"{rows[0].metric}.csv"
    write_csv(path, HEADER, [[*row.cells[:-2], *map(_spaced, row.cells[-2:])] for row in rows])
    return path


def _spaced(values: Any) -> str:
    return " ".join(map(repr, values))

"""Mean, standard deviation and number of a metric over seeds, a line a run and setting."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from reidpipe.errors import UserError, nearest
from reidpipe.files import write_csv
from reidpipe.seeds.experiments import Experiment

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
    def cells(self) -> tuple[str, ...]:
        """Readable, as HEADER says; seeds and values are separated by spaces."""
        seeds, values = " ".join(map(str, self.values)), self.values.values()
        figures = f"{self.mean:.2f}", f"{self.std:.2f}", seeds
        shown = " ".join(f"{value:.2f}" for value in values)
        return self.metric, self.run, self.setting, str(len(values)), *figures, shown


def spreads(metric: str, found: Sequence[Experiment]) -> list[Spread]:
    """Every run and setting that has two seeds or more.

    Raises:
        UserError: there are none, a value is no finite number, or one seed has two results.
    """
    settings: dict[tuple[frozenset[tuple[str, str]], ...], list[Experiment]] = {}
    for experiment in found:
        key = frozenset(experiment.settings.items()), frozenset(experiment.sources.items())
        settings.setdefault(key, []).append(experiment)
    names = _names(list(settings.values()))
    rows = [
        Spread(metric, run, name, values)
        for own, name in zip(settings.values(), names, strict=True)
        for run, values in _by_run(metric, own).items()
        if len(values) > 1
    ]
    if not rows:
        raise _nothing(metric, found)
    return sorted(rows, key=lambda row: (row.run, row.setting))


def _by_run(metric: str, own: Sequence[Experiment]) -> dict[str, dict[int, float]]:
    values: dict[str, dict[int, float]] = {}
    for experiment in sorted(own, key=lambda one: one.seed):
        for run, metrics in experiment.metrics.items():
            if metric not in metrics:
                continue
            value, where = metrics[metric], f"experiment {experiment.name}, run {run}"
            if not isinstance(value, int | float) or not math.isfinite(value):
                raise UserError(f"{metric} is not a finite number", where=where, found=value)
            known = values.setdefault(run, {}).setdefault(experiment.seed, value)
            if known != value:
                raise UserError(
                    f"two experiments of seed {experiment.seed} have different results",
                    where=where,
                    expected=known,
                    found=value,
                    fix=f"remove the one that does not hold: dvc exp remove {experiment.name}",
                )
    return values


def _names(settings: Sequence[Sequence[Experiment]]) -> Iterator[str]:
    """What tells each setting from the others, shortly."""
    firsts = [own[0] for own in settings]
    keys = sorted({key for one in firsts for key in one.settings})
    telling = [key for key in keys if len({one.settings.get(key) for one in firsts}) > 1]
    codes = list(dict.fromkeys(frozenset(one.sources.items()) for one in firsts))
    for one in firsts:
        parts = [f"{key}={one.settings.get(key, '-').strip(chr(39))}" for key in telling]
        if len(codes) > 1:
            parts.append(f"code {codes.index(frozenset(one.sources.items())) + 1}")
        yield ", ".join(parts)


def _nothing(metric: str, found: Sequence[Experiment]) -> UserError:
    known = sorted({name for one in found for metrics in one.metrics.values() for name in metrics})
    if known and metric not in known:
        return UserError(
            f"no experiment has the metric {metric!r}",
            expected=", ".join(known),
            fix=nearest(metric, known),
        )
    return UserError(
        "no two experiments of this commit differ in their seed alone",
        expected="experiments with other values of seed, and the same parameters and code",
        found=", ".join(f"{one.name} (seed {one.seed})" for one in found) or "none with results",
        fix="dvc exp run --queue -S seed=1,2 && dvc queue start",
    )


def write(rows: Sequence[Spread], folder: Path = FOLDER) -> Path:
    """Write METRIC.csv, with exact values, where the report looks for it."""
    path = folder / f"{rows[0].metric}.csv"
    write_csv(path, HEADER, [_exact(row) for row in rows])
    return path


def _exact(row: Spread) -> tuple[object, ...]:
    seeds = " ".join(map(str, row.values))
    values = " ".join(repr(float(value)) for value in row.values.values())
    return row.metric, row.run, row.setting, len(row.values), row.mean, row.std, seeds, values

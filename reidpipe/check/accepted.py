"""Changes that are meant, said in the open: `reports/accepted.yaml`.

    - {run: market1501-ours, metric: mAP, from: 38.18, to: 36.59, reason: repeats look new}
    - {run: market1501-ours, metric: data, from: {num_query: 255}, to: {num_query: 300}, reason: R}

An entry holds for the one step that it names, from the old value to the new. It is committed with
the change and can stay: it does not fit any later one.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from reidpipe.errors import UserError

FILE = Path("reports/accepted.yaml")
DATA = "data"
_ROUNDING = 0.01
"""Percentage points: the values are written as tables show them."""

Value = float | int
Text = Annotated[str, Field(min_length=1)]


class Accepted(BaseModel):
    """One metric of one run may go from one value to another."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    run: Text
    """A run, or another metrics file such as reports/data/market1501.json."""
    metric: Text
    """A metric, or DATA for the counts of another test set."""
    old: Annotated[Value | dict[str, Value], Field(alias="from")]
    new: Annotated[Value | dict[str, Value], Field(alias="to")]
    reason: Text


def read(path: Path = FILE) -> list[Accepted]:
    """All entries, none without a file.

    Raises:
        UserError: it is no list of such entries.
    """
    if not path.exists():
        return []
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or []
        return TypeAdapter(list[Accepted]).validate_python(content)
    except (yaml.YAMLError, ValidationError, UnicodeDecodeError) as error:
        raise UserError(
            "the accepted changes cannot be read",
            where=path,
            expected="- {run: RUN, metric: METRIC, from: 38.18, to: 36.59, reason: WHY}",
            found=error,
        ) from None


def metric(entries: list[Accepted], run: str, name: str, old: float) -> Accepted | None:
    """The entry for a metric that was `old`."""
    return next(
        (
            entry
            for entry in entries
            if (entry.run, entry.metric) == (run, name) and _close(entry.old, old)
        ),
        None,
    )


def data(
    entries: list[Accepted], run: str, old: Mapping[str, object], new: Mapping[str, object]
) -> Accepted | None:
    """The entry for exactly these counts, by name, before and after."""
    return next(
        (
            entry
            for entry in entries
            if (entry.run, entry.metric, entry.old, entry.new) == (run, DATA, old, new)
        ),
        None,
    )


def _close(value: object, other: float) -> bool:
    return isinstance(value, float | int) and math.isclose(value, other, abs_tol=_ROUNDING)

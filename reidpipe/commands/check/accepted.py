"""Changes that are meant, said in the open: `reports/accepted.yaml`.

    - {run: market1501-ours, metric: mAP, from: 38.18, to: 36.59, reason: repeats look new}
    - {run: market1501-ours, metric: data, from: {num_query: 255}, to: {num_query: 300}, reason: R}

An entry holds for the one step that it names, from the old value to the new, in the change that
brings it: those that the base of a comparison has already are not looked at.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from reidpipe.errors import UserError
from reidpipe.formats import yaml
from reidpipe.runtime.git import has, show

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

    @model_validator(mode="after")
    def _counts_or_values(self) -> Self:
        counts = [isinstance(side, dict) for side in (self.old, self.new)]
        if counts != [self.metric == DATA] * 2:
            raise ValueError(f"from and to are maps of counts for {DATA}, numbers for all else")
        return self

    def __str__(self) -> str:
        return f"{self.run} {self.metric}, {self.old} to {self.new}"


def read(revision: str, path: Path = FILE) -> list[Accepted]:
    """The entries of the workspace that `revision` does not have, none without a file.

    Raises:
        UserError: it is no list of such entries.
    """
    if not path.exists():
        return []
    known: list[Accepted] = []
    if has(revision, path.as_posix()):
        known = _parsed(show(revision, path.as_posix()), f"{revision}:{path}")
    return [entry for entry in _parsed(path.read_bytes(), path) if entry not in known]


def _parsed(content: bytes, path: object) -> list[Accepted]:
    try:
        found = yaml.parsed(content, path, "the accepted changes") or []
        return TypeAdapter(list[Accepted]).validate_python(found)
    except ValidationError as error:
        raise UserError(
            "the accepted changes cannot be read",
            where=path,
            expected="- {run: RUN, metric: METRIC, from: 38.18, to: 36.59, reason: WHY}",
            found=error,
        ) from None


def steps(entries: list[Accepted], run: str, name: str, old: float) -> list[Accepted]:
    """The entries that lead a metric on from `old`, one after the other."""
    found: list[Accepted] = []
    for _ in entries:
        fits = [e for e in entries if (e.run, e.metric) == (run, name) and e not in found]
        step = next((entry for entry in fits if _close(entry.old, old)), None)
        if step is None or not isinstance(step.new, float | int):
            break
        found.append(step)
        old = float(step.new)
    return found


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

"""What cannot be compared, and why: it is never passed over.

A value that one side lacks, a number that is none, another test set, another profile.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from reidpipe.commands.check.pairs import Pair
from reidpipe.commands.check.rows import Row
from reidpipe.formats import yaml
from reidpipe.runtime.git import show

SAME = (
    "num_query",
    "num_skipped",
    "train_ids",
    "train_images",
    "query_ids",
    "query_images",
    "gallery_images",
)
"""Counts of the data: where they differ, metrics do too, whatever the code does."""


def other_profile(revision: str, profile: str) -> Iterator[Row]:
    """A row where params.yaml of `revision` has another profile than `profile`."""
    content = yaml.parsed(
        show(revision, "params.yaml"), f"{revision}:params.yaml", "the parameters"
    )
    old = content.get("profile") if isinstance(content, dict) else None
    if old != profile:
        reason = f"profile {old} in {revision}, {profile} in the workspace"
        yield Row("params.yaml", "incomparable", reason)


def absent(file: str, metrics: Iterable[str]) -> Iterator[Row]:
    """A row for each of `metrics`, which other runs have and this one has on neither side.

    `dvc metrics diff` is silent about a null that both sides have.
    """
    for metric in sorted(metrics):
        yield Row(file, "incomparable", "missing or null on both sides", metric)


def one_sided(
    file: str, own: Sequence[Pair], revision: str, declared: Collection[str]
) -> Row | None:
    """A row where one side has no metric at all in `file`, which may be one of those `declared`."""
    if all(pair.new is None for pair in own):
        if file in declared:
            return Row(file, "incomparable", f"missing: only {revision} has it")
        return Row(file, "removed", "dvc.yaml has lost it, too")
    if all(pair.old is None for pair in own):
        return Row(file, "new", f"{revision} does not have it")
    return None


def broken(pair: Pair, revision: str, *, judged: bool) -> Row | None:
    """A row where the two values of a metric cannot be compared; `judged` ones must be numbers."""
    reason = _reason(pair, revision, judged=judged)
    if not reason:
        return None
    old, new = _number(pair.old), _number(pair.new)
    return Row(pair.file, "incomparable", reason, pair.metric, old, new)


def _reason(pair: Pair, revision: str, *, judged: bool) -> str:
    if pair.new is None:
        return f"missing or null: only {revision} has a value"
    if pair.old is None:
        return f"extra: missing or null in {revision}"
    sides = {"the workspace": pair.new, revision: pair.old}
    wrong = [
        side
        for side, value in sides.items()
        if isinstance(value, float) and not math.isfinite(value)
    ]
    if wrong:
        return f"not a finite number in {' and '.join(wrong)}"
    texts = [isinstance(value, str) for value in sides.values()]
    if any(texts) and (judged or not all(texts)):
        return "text where a number is expected"
    return "other data" if pair.metric in SAME and pair.new != pair.old else ""


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None

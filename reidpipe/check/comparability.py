"""What cannot be compared, and why: it is never passed over.

A value that one side lacks, a number that is none, another test set, another profile.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from reidpipe.check.figures import Pair, workspace
from reidpipe.check.rows import Row
from reidpipe.revisions import show

SAME = (
    "num_query",
    "num_skipped",
    "train_ids",
    "train_images",
    "query_ids",
    "query_images",
    "gallery_images",
)
"""Figures of the data: where they differ, metrics do too, whatever the code does."""


def other_profile(revision: str, profile: str) -> Iterator[Row]:
    """A row where params.yaml of `revision` has another profile than `profile`."""
    content = yaml.safe_load(show(revision, "params.yaml"))
    old = content.get("profile") if isinstance(content, dict) else None
    if old != profile:
        reason = f"profile {old} in {revision}, {profile} in the workspace"
        yield Row("params.yaml", "incomparable", reason)


def unreadable() -> Iterator[Row]:
    """Files of the workspace that are missing or no JSON, and nulls.

    `dvc metrics diff` is silent about them where the revision has nothing else.
    """
    for file, metrics in workspace().items():
        if metrics is None:
            yield Row(file, "incomparable", "missing in the workspace, or not JSON")
            continue
        nulls = sorted(metric for metric, value in metrics.items() if value is None)
        for metric in nulls:
            yield Row(file, "incomparable", "null in the workspace", metric)


def one_sided(file: str, own: Sequence[Pair], revision: str) -> Row | None:
    """A row where one side has no metric at all in `file`."""
    if all(pair.new is None for pair in own):
        return Row(file, "incomparable", f"missing: only {revision} has it")
    if all(pair.old is None for pair in own):
        return Row(file, "incomparable", f"extra: {revision} does not have it")
    return None


def broken(pair: Pair, revision: str) -> Row | None:
    """A row where the two values of a metric cannot be compared."""
    reason = _reason(pair, revision)
    if not reason:
        return None
    old, new = _number(pair.old), _number(pair.new)
    return Row(pair.file, "incomparable", reason, pair.metric, old, new)


def _reason(pair: Pair, revision: str) -> str:
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
    if isinstance(pair.new, str) != isinstance(pair.old, str):
        return "a number on one side, text on the other"
    return "other data" if pair.metric in SAME and pair.new != pair.old else ""


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None

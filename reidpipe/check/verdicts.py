"""A verdict on every figure.

A metric that fell by more than its tolerance is a regression. Where the rankings of both sides are
at hand, the fall must also be sure: the paired bootstrap interval of the difference lies below
zero. Otherwise it may be chance of which people were queried, and is called undecided.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from reidpipe.check import chance, comparability
from reidpipe.check.figures import Pair, pairs, unreadable
from reidpipe.check.rows import Outcome, Row, Verdict, is_run, name_of
from reidpipe.errors import UserError, nearest
from reidpipe.params import Params
from reidpipe.revisions import resolve

_ROUNDING = 1e-9


def check(revision: str, params: Params) -> Outcome:
    """Judge the metrics of the workspace against those of a git revision.

    Raises:
        UserError: there is no such revision, no params.yaml in it, or DVC cannot read the metrics.
    """
    resolve(revision)
    rows = list(comparability.other_profile(revision, params.profile))
    if not rows:
        lost = unreadable()
        reason = "missing, not JSON or without a number in the workspace"
        rows = [Row(file, "incomparable", reason) for file in lost]
        readable = [pair for pair in pairs(revision) if pair.file not in lost]
        rows += _judged(readable, revision, params)
    return Outcome(revision, tuple(rows))


def _judged(found: Sequence[Pair], revision: str, params: Params) -> Iterator[Row]:
    tolerance = params.check.tolerance
    known = {pair.metric for pair in found}
    if not known & tolerance.keys():
        yield Row("dvc.yaml", "incomparable", "nothing to compare: no metric has a tolerance")
        return
    for metric in sorted(tolerance.keys() - known):
        reason = f"no run has this metric; {nearest(metric, known)}".rstrip("; ")
        yield Row("params.yaml: check.tolerance", "incomparable", reason, metric)
    for file, own in groupby(found, key=lambda pair: pair.file):
        present = list(own)
        if is_run(file):
            gone = known & tolerance.keys() - {pair.metric for pair in present}
            yield from comparability.absent(file, gone)
        yield from _of_file(file, present, revision, params)


def _of_file(file: str, own: Sequence[Pair], revision: str, params: Params) -> Iterator[Row]:
    if row := comparability.one_sided(file, own, revision):
        yield row
        return
    broken = {pair.metric: row for pair in own if (row := comparability.broken(pair, revision))}
    yield from broken.values()
    if not broken.keys() & {*comparability.SAME}:
        sound = [pair for pair in own if pair.metric not in broken]
        toleranced = [pair for pair in sound if pair.metric in params.check.tolerance]
        yield from _metrics(file, toleranced, revision, params)


def _metrics(file: str, own: Sequence[Pair], revision: str, params: Params) -> Iterator[Row]:
    values = {pair.metric: (pair.old, pair.new) for pair in own}
    bootstrap = params.active.evaluate.bootstrap
    try:
        known = chance.intervals(name_of(file), revision, values, bootstrap)
    except UserError as error:
        yield Row(file, "incomparable", str(error))
        return
    for metric, (old, new) in values.items():
        low, high = known.get(metric, (None, None))
        verdict = _verdict(new - old, params.check.tolerance[metric], high)
        yield Row(file, verdict, "", metric, old, new, low, high)


def _verdict(difference: float, tolerance: float, high: float | None) -> Verdict:
    if difference >= -tolerance - _ROUNDING:
        return "ok"
    return "regression" if high is None or high < 0 else "undecided"

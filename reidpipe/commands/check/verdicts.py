"""A verdict on every metric.

A metric that fell by more than its tolerance is a regression where the fall is more than chance:
where its interval, which is wide enough for all runs and metrics together (`chance`), lies below
zero. Else it is undecided. Where nothing is known of chance, the tolerance alone decides. A change
that reports/accepted.yaml names is judged from the value that was accepted.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import mean

from reidpipe.commands.check import accepted, comparability, evidence
from reidpipe.commands.check.accepted import Accepted
from reidpipe.commands.check.chance import ALL, Change, Limits, differences, limits, verdict
from reidpipe.commands.check.noise import noise
from reidpipe.commands.check.pairs import Pair, declared, pairs
from reidpipe.commands.check.reproduced import reproduction
from reidpipe.commands.check.rows import Outcome, Row, Verdict, is_run, name_of
from reidpipe.errors import UserError, nearest
from reidpipe.formats.params import Params
from reidpipe.runtime.git import resolve

_SHOWN = "mAP"
_UNREADABLE = "missing, not JSON or without a number in the workspace"


@dataclass(frozen=True)
class Judged:
    """The metrics of one file that have a tolerance and a number on both sides."""

    file: str
    values: Mapping[str, tuple[float, float]]
    """Old and new, by metric."""
    meant: Mapping[str, list[Accepted]]
    """Steps that were accepted, by metric."""

    @property
    def changed(self) -> bool:
        return any(old != new for old, new in self.values.values())

    def difference(self, metric: str) -> float:
        """New - old in percentage points; of a loss, what goes beyond the accepted one."""
        old, new = self.values[metric]
        steps = self.meant.get(metric, [])
        lowest = float(steps[-1].new) if steps else old  # type: ignore[arg-type] # no step of data
        return new - min(old, max(lowest, new))


def check(revision: str | None, params: Params) -> Outcome:
    """Judge the metrics of the workspace against those of a git revision.

    Args:
        revision: as git names it; None where there are no earlier results.
        params: tolerances, the bootstrap, the profile.

    Raises:
        UserError: there is no such revision, no params.yaml in it, or something cannot be read.
    """
    if revision is None:
        rows = [Row(file, "incomparable", _UNREADABLE) for file in declared().unreadable]
        return Outcome("no earlier results", tuple(rows), reproduced=_reproduced())
    resolve(revision)
    rows = list(comparability.other_profile(revision, params.profile))
    if rows:
        return Outcome(revision, tuple(rows))
    rows, judged = _sorted_out(revision, params)
    return _weighed(revision, rows, judged, params)


def _weighed(revision: str, rows: list[Row], judged: Sequence[Judged], params: Params) -> Outcome:
    """The outcome with verdicts on what can be judged, by what is known of chance."""
    same = evidence.same_networks(revision)
    changed = {name_of(one.file): one for one in judged if is_run(one.file) and one.changed}
    changes: list[Change] = []
    wrong: set[str] = set()
    for run, one in changed.items():
        points = {metric: one.difference(metric) for metric in one.values}
        retrained = run not in same
        try:
            changes.append(evidence.change(run, revision, one.values, points, retrained=retrained))
        except UserError as error:
            rows.append(Row(one.file, "incomparable", str(error)))
            wrong.add(one.file)
    scatter = noise(evidence.seed_tables(revision), params.profile)
    bootstrap = params.active.evaluate.bootstrap
    bounds = limits(changes, scatter, bootstrap, params.check.false_alarms)
    rows += [
        row for one in judged if one.file not in wrong for row in _verdicts(one, bounds, params)
    ]
    rows += _mean(changed, changes, bounds, params)
    visible = {
        run: bounds.visible(run, metric)
        for (run, metric), error in bounds.error.items()
        if metric == _SHOWN and error > 0
    }
    unknown = tuple(found.run for found in changes if found.retrained and not scatter.of(found.run))
    return Outcome(revision, tuple(rows), visible, unknown, _reproduced())


def _reproduced() -> str:
    try:
        return str(reproduction())
    except UserError as error:
        return f"reproduced: not known, {error.what}: {error.details.get('where', '')}"


def _sorted_out(revision: str, params: Params) -> tuple[list[Row], list[Judged]]:
    """What has no counterpart, and what can be judged."""
    known = declared()
    rows = [Row(file, "incomparable", _UNREADABLE) for file in known.unreadable]
    tolerance = params.check.tolerance
    found = [pair for pair in pairs(revision) if pair.file not in known.unreadable]
    of_no_account = _come_or_gone(found) - tolerance.keys() - {*comparability.SAME}
    found = [pair for pair in found if pair.metric not in of_no_account]
    metrics = {pair.metric for pair in found}
    if not metrics & tolerance.keys():
        reason = "nothing to compare: no metric has a tolerance"
        return [*rows, Row("dvc.yaml", "incomparable", reason)], []
    for metric in sorted(tolerance.keys() - metrics):
        reason = f"no run has this metric; {nearest(metric, metrics)}".rstrip("; ")
        rows.append(Row("params.yaml: check.tolerance", "incomparable", reason, metric))
    judged, meant = [], accepted.read(revision)
    for file, group in groupby(found, key=lambda pair: pair.file):
        own = list(group)
        if is_run(file) and _is_of_one_camera(own):
            reason = "no query has its person under another camera"
            rows.append(Row(file, "not evaluated", reason))
            continue
        if is_run(file):
            gone = metrics & tolerance.keys() - {pair.metric for pair in own}
            rows += comparability.absent(file, gone)
        if row := comparability.one_sided(file, own, revision, known.files):
            rows.append(row)
        else:
            broken, sound = _parted(file, own, revision, meant, tolerance)
            rows += broken
            values = {p.metric: (p.old, p.new) for p in sound if p.metric in tolerance}
            judged.append(Judged(file, values, _meant(file, values, meant)))
    return rows, judged


def _is_of_one_camera(own: Sequence[Pair]) -> bool:
    """Whether the workspace has counts of queries alone, of which none is valid."""
    new = {pair.metric: pair.new for pair in own if pair.new is not None}
    return "num_query" in new and new["num_query"] == new.get("num_skipped")


def _parted(
    file: str,
    own: Sequence[Pair],
    revision: str,
    meant: list[Accepted],
    tolerance: Collection[str],
) -> tuple[list[Row], list[Pair]]:
    """Rows on what cannot be compared, and the pairs that can; none where the data are others."""
    broken = {
        pair.metric: row
        for pair in own
        if (row := comparability.broken(pair, revision, judged=pair.metric in tolerance))
    }
    data = broken.keys() & {*comparability.SAME}
    if not data:
        return [*broken.values()], [pair for pair in own if pair.metric not in broken]
    counts = {pair.metric: (pair.old, pair.new) for pair in own if pair.metric in data}
    old, new = ({name: pair[side] for name, pair in counts.items()} for side in (0, 1))
    if entry := accepted.data(meant, name_of(file), old, new):
        rest = [row for metric, row in broken.items() if metric not in data]
        return [Row(file, "accepted", f"other data: {entry.reason}"), *rest], []
    return [*broken.values()], []


def _meant(
    file: str, values: Mapping[str, tuple[float, float]], entries: list[Accepted]
) -> dict[str, list[Accepted]]:
    return {m: accepted.steps(entries, name_of(file), m, old) for m, (old, _) in values.items()}


def _come_or_gone(found: Sequence[Pair]) -> set[str]:
    """Metrics that one side has in no file at all: the code has begun, or ceased, to write them."""
    old = {pair.metric for pair in found if pair.old is not None}
    new = {pair.metric for pair in found if pair.new is not None}
    return old ^ new


def _verdicts(one: Judged, bounds: Limits, params: Params) -> Iterator[Row]:
    for metric, (old, new) in one.values.items():
        difference, steps = one.difference(metric), one.meant.get(metric, [])
        beyond = bounds.interval(name_of(one.file), metric, difference) or (None, None)
        found: Verdict = verdict(difference, params.check.tolerance[metric], beyond[1])
        reason = "; ".join(step.reason for step in steps) if new < old else ""
        if reason and found != "regression":
            found = "accepted"
        around = bounds.interval(name_of(one.file), metric, new - old) or (None, None)
        yield Row(one.file, found, reason, metric, old, new, *around)


def _mean(
    changed: Mapping[str, Judged], changes: Sequence[Change], bounds: Limits, params: Params
) -> Iterator[Row]:
    """A row per metric on the mean over the runs that changed, where they are several."""
    for (run, metric), difference in differences(changes).items():
        if run == ALL and (around := bounds.interval(ALL, metric, difference)):
            own = [changed[c.run].values[metric] for c in changes if metric in c.difference]
            old, new = (mean(pair[side] for pair in own) for side in (0, 1))
            found = verdict(difference, params.check.tolerance[metric], around[1])
            yield Row(ALL, found, f"mean of {len(own)} runs", metric, old, new, *around)

"""The claims of the paper's text, checked on its own numbers and on the rebuilt ones."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from reidpipe.metrics.bootstrap import Difference
from reidpipe.reporting.reading.published import LABELS, Claim, Comparisons, Published
from reidpipe.reporting.science.paired import Pairs
from reidpipe.reporting.science.tables import Cell, Row, Table

Verdict = Literal[
    "holds", "does not hold", "not trained to the end", "undecided", "not comparable", "left out"
]
WORST_FIRST: tuple[Verdict, ...] = (
    "does not hold",
    "not trained to the end",
    "undecided",
    "not comparable",
    "left out",
    "holds",
)
SHOWN = 3
"""Comparisons of a claim that are written out."""
PLURAL: dict[Verdict, str] = {
    "holds": "hold",
    "does not hold": "do not hold",
    "not trained to the end": "not trained to the end",
    "undecided": "undecided",
    "not comparable": "not comparable",
    "left out": "left out",
}


@dataclass(frozen=True)
class Comparison:
    """One `higher > lower` in one column; the differences are in points."""

    table: str
    column: str
    higher: str
    lower: str
    published: Decimal
    rebuilt: Difference | None
    """None where one side was not rebuilt or cannot be compared."""
    published_verdict: Verdict
    rebuilt_verdict: Verdict


@dataclass(frozen=True)
class Check:
    """A claim with every comparison that it stands on."""

    claim: Claim
    comparisons: tuple[Comparison, ...]

    @property
    def published(self) -> Verdict:
        return worst(part.published_verdict for part in self.comparisons)

    @property
    def rebuilt(self) -> Verdict:
        return worst(part.rebuilt_verdict for part in self.comparisons)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """A claim is as good as the worst comparison that it stands on."""
    return min(verdicts, key=WORST_FIRST.index)


def check_claims(published: Published, tables: Sequence[Table], pairs: Pairs) -> list[Check]:
    """One check per claim, on the tables as `build_tables` made them."""
    by_id = {table.id: table for table in tables}
    return [
        Check(
            claim,
            tuple(
                comparison
                for part in claim.comparisons
                for comparison in _compared(claim, part, by_id[part.table], pairs)
            ),
        )
        for claim in published.claims
    ]


def _compared(claim: Claim, part: Comparisons, table: Table, pairs: Pairs) -> Iterator[Comparison]:
    rows = {row.method: row for row in table.rows}
    higher = rows[part.higher]
    for lower in (rows[name] for name in part.lower):
        for column in part.columns:
            points = _points(higher.cells[column], lower.cells[column])
            verdict, difference = _rebuilt(higher, lower, column, table.profile, pairs)
            yield Comparison(
                table=table.id,
                column=column,
                higher=higher.method,
                lower=lower.method,
                published=points,
                rebuilt=difference,
                published_verdict=_printed(points, claim.by),
                rebuilt_verdict=verdict,
            )


def _points(higher: Cell, lower: Cell) -> Decimal:
    return (higher.published or Decimal()) - (lower.published or Decimal())


def _printed(points: Decimal, by: Decimal | None) -> Verdict:
    """Printed numbers have no interval: the difference must be positive, and of the size named."""
    return "holds" if points > 0 and by in (None, points) else "does not hold"


def _rebuilt(
    higher: Row, lower: Row, column: str, profile: str, pairs: Pairs
) -> tuple[Verdict, Difference | None]:
    if {higher.status, lower.status} & {"left out", "not evaluated"}:
        return "left out", None
    if higher.run and lower.run and higher.as_started and lower.as_started:
        difference = pairs.difference(higher.run, lower.run, column)
    elif profile == "paper":
        difference = _against_printed(higher.cells[column], lower.cells[column])
    else:
        return "not comparable", None
    # Its end may reverse the sign of a difference: one between half-trained runs proves nothing.
    if higher.undertrained or lower.undertrained:
        return "not trained to the end", difference
    return decided(difference), difference


def _against_printed(rebuilt: Cell, cited: Cell) -> Difference:
    """A rebuilt figure with its interval against a printed constant."""
    constant = cited.published or Decimal()
    value = rebuilt.rebuilt or Decimal()
    low, high = (
        float((bound if bound is not None else value) - constant)
        for bound in (rebuilt.low, rebuilt.high)
    )
    return Difference(float(constant), float(value), low, high)


def decided(difference: Difference) -> Verdict:
    """Undecided while the interval covers 0."""
    if difference.low > 0:
        return "holds"
    return "does not hold" if difference.high < 0 else "undecided"


def published_detail(check: Check) -> str:
    """The sums behind the verdict on the printed numbers."""
    if len(check.comparisons) == 1:
        part = check.comparisons[0]
        named = f"; the text says {check.claim.by:+}" if check.claim.by else ""
        return f"{part.published:+} in {LABELS[part.column]}{named}"
    failed = [part for part in check.comparisons if part.published_verdict != "holds"]
    lines = [f"{_against(part)} {part.published:+.2f}" for part in failed]
    return "; ".join([_tally(part.published_verdict for part in check.comparisons), *lines])


def rebuilt_detail(check: Check) -> str:
    """The paired differences behind the verdict on the rebuilt numbers, the worst of them."""
    if len(check.comparisons) == 1:
        part = check.comparisons[0]
        if part.rebuilt is None:
            return ""
        return f"{_interval(part.rebuilt)} in {LABELS[part.column]}{_over([part])}"
    shown, _ = failures(check)
    tally = _tally(part.rebuilt_verdict for part in check.comparisons)
    return "; ".join([f"{tally}{_over(check.comparisons)}", *shown])


def _over(comparisons: Iterable[Comparison]) -> str:
    """How many trainings of each side the differences stand on."""
    found = sorted({part.rebuilt.seeds for part in comparisons if part.rebuilt})
    if not found or found == [1]:
        return ""
    return f", over {' to '.join(map(str, dict.fromkeys((found[0], found[-1]))))} seeds"


def failures(check: Check) -> tuple[list[str], list[str]]:
    """The rebuilt comparisons that do not hold, the lowest first: SHOWN of them, and the rest."""
    found = [part for part in check.comparisons if part.rebuilt_verdict == "does not hold"]
    found.sort(key=lambda part: part.rebuilt.points if part.rebuilt else 0)
    lines = [f"{_against(part)} {_interval(part.rebuilt)}" for part in found]
    return lines[:SHOWN], lines[SHOWN:]


def _tally(verdicts: Iterable[Verdict]) -> str:
    counts = Counter(verdicts)
    found = [
        f"{counts[verdict]} {verdict if counts[verdict] == 1 else PLURAL[verdict]}"
        for verdict in PLURAL
        if counts[verdict]
    ]
    return f"{counts.total()} comparisons: {', '.join(found)}"


def _against(part: Comparison) -> str:
    where = "" if part.table == "table1" else f"Table {part.table.removeprefix('table')}, "
    return f"{where}{LABELS[part.column]} of {part.higher} against {part.lower}"


def _interval(difference: Difference | None) -> str:
    if difference is None:
        return "-"
    return f"{difference.points:+.2f} [{difference.low:+.2f}, {difference.high:+.2f}]"

"""An outcome as a table for a terminal, as Markdown for a job summary, as JSON for programs."""

import json
from dataclasses import asdict

from rich.table import Column, Table
from rich.text import Text

from reidpipe.commands.check.rows import STATUS, Outcome, Row, Verdict, is_run

HEADER = ("run", "metric", "before", "now", "difference", "interval", "verdict")
_HEADLINE = {
    "ok": "passed",
    "undecided": "passed",
    "regression": "REGRESSION",
    "incomparable": "COULD NOT COMPARE",
}
_COUNTED: tuple[tuple[Verdict, str], ...] = (
    ("regression", "regressions"),
    ("undecided", "undecided"),
    ("accepted", "accepted"),
    ("new", "new"),
    ("removed", "removed"),
    ("not evaluated", "not evaluated"),
    ("incomparable", "that cannot be compared"),
)
_ALWAYS = {"regression", "undecided"}


def summary(outcome: Outcome) -> str:
    """One line that says it all."""
    judged = [row for row in outcome.rows if is_run(row.file) and row.old is not None]
    changed = sum(row.old != row.new for row in judged)
    runs = len({row.file for row in judged})
    counts = [
        f"{len(judged)} metrics of {runs} runs against {outcome.against}",
        f"{changed} changed",
    ]
    for verdict, words in _COUNTED:
        if (count := len(outcome.of(verdict))) or verdict in _ALWAYS:
            counts.append(f"{count} {words}")
    return f"{_HEADLINE[outcome.verdict]}: {', '.join(counts)}"


def notes(outcome: Outcome) -> list[str]:
    """Lines below the summary: how small a loss would be seen, and whether bytes are equal."""
    lines = []
    if outcome.visible:
        seen = ", ".join(f"{run} {loss:.1f}" for run, loss in sorted(outcome.visible.items()))
        lines.append(f"a loss of mAP is seen in nine of ten from these points on: {seen}")
    if outcome.unknown:
        runs = ", ".join(outcome.unknown)
        lines.append(
            f"judged without the noise of training, which is not known: {runs} "
            "(reidpipe seeds --train 0-4)"
        )
    return [*lines, outcome.reproduced] if outcome.reproduced else lines


def table(outcome: Outcome) -> Table:
    """What changed or went wrong, as rich draws it."""
    drawn = Table(Column(HEADER[0], no_wrap=True), *HEADER[1:])
    for row in shown(outcome):
        drawn.add_row(*map(Text, _cells(row)), style="bold" if STATUS[row.verdict] else "")
    return drawn


def markdown(outcome: Outcome) -> str:
    """The summary, a table of what changed or went wrong, and the notes."""
    lines = [f"**{summary(outcome)}**"]
    if rows := shown(outcome):
        lines += ["", _line(HEADER), "|---|---|---:|---:|---:|---|---|"]
        lines += [_line(_cells(row)) for row in rows]
    for note in notes(outcome):
        lines += ["", note]
    return "\n".join(lines)


def document(outcome: Outcome) -> str:
    """Everything as JSON, also what did not change."""
    rows = [{"run": row.name, **asdict(row)} for row in outcome.rows]
    summed_up = {
        "against": outcome.against,
        "verdict": outcome.verdict,
        "status": outcome.status,
        "visible": outcome.visible,
        "unknown": list(outcome.unknown),
        "reproduced": outcome.reproduced,
    }
    return json.dumps({**summed_up, "rows": rows}, indent=2, allow_nan=False)


def shown(outcome: Outcome) -> list[Row]:
    """What changed or went wrong."""
    return [row for row in outcome.rows if row.verdict != "ok" or row.old != row.new]


def _cells(row: Row) -> tuple[str, ...]:
    old, new = (f"{value:.2f}" if value is not None else "" for value in (row.old, row.new))
    difference = interval = ""
    if row.old is not None and row.new is not None and row.verdict != "incomparable":
        difference = f"{row.new - row.old:+.2f}"
    if row.low is not None and row.high is not None:
        interval = f"{row.low:+.2f} to {row.high:+.2f}"
    verdict = f"{row.verdict}: {row.reason}" if row.reason else row.verdict
    return row.name, row.metric, old, new, difference, interval, verdict


def _line(cells: tuple[str, ...]) -> str:
    text = " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells)
    return f"| {text} |"

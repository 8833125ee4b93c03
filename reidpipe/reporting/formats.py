"""A table as Markdown, CSV and LaTeX (booktabs)."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from pathlib import Path

from reidpipe.files import write_text
from reidpipe.metrics.bootstrap import Difference
from reidpipe.reporting.rendering import Filters, rendered
from reidpipe.reporting.science.tables import Cell, Row, Table, column_labels

DASH = "-"
UNDERTRAINED = "not trained to the end"
SPECIAL = str.maketrans({c: f"\\{c}" for c in "&%$#_{}"} | {"±": "$\\pm$"})


def points(value: Decimal | float | None) -> str:
    """A difference with its sign, or a dash."""
    return DASH if value is None else f"{value:+.2f}"


def span(low: Decimal | float | None, high: Decimal | float | None) -> str:
    return "" if low is None or high is None else f"[{low:.2f}, {high:.2f}]"


def spread(cell: Cell) -> str:
    """How sure the rebuilt figure is: over seeds where it has some, else over queries."""
    if cell.std is not None:
        return f"± {cell.std}, n = {cell.seeds}"
    return span(cell.low, cell.high)


def figure(cell: Cell) -> str:
    """The rebuilt figure and how sure it is, or a dash."""
    if cell.rebuilt is None:
        return DASH
    return f"{cell.rebuilt} {spread(cell)}".strip()


def status(row: Row) -> str:
    """What the row is, and what keeps its figures from being read as results."""
    return f"{row.status}, {UNDERTRAINED}" if row.undertrained else row.status


def versus(difference: Difference | None) -> str:
    if difference is None:
        return DASH
    return f"{points(difference.points)} [{difference.low:+.2f}, {difference.high:+.2f}]"


def grid(header: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """A Markdown table, padded so that it also reads well as plain text.

    The first `left` columns are aligned to the left, the others to the right.
    """
    lines = [[text.replace("|", "\\|") for text in row] for row in (header, *rows)]
    widths = [max(len(row[i]) for row in lines) for i in range(len(header))]
    aligned = [
        " | ".join(
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in lines
    ]
    rule = " | ".join("-" * w if i < left else "-" * (w - 1) + ":" for i, w in enumerate(widths))
    return "\n".join(f"| {line} |" for line in (aligned[0], rule, *aligned[1:])) + "\n"


def markdown(table: Table) -> str:
    """Title, notes and the padded table; the best published and rebuilt figures are bold."""
    header = ["Method", *_spread(column_labels(table), ("{} paper", "rebuilt", "diff."))]
    if table.baseline:
        header.append(f"mAP vs {table.against}")
    body = [_markdown_row(row, table) for row in table.rows]
    notes = [f"**{note}**" if note.isupper() or "NOT" in note else note for note in table.notes]
    title = f"Table {table.number}. {table.title}"
    return "\n\n".join([f"# {title}", *notes, grid([*header, "status"], body)])


def _spread(labels: Iterable[str], patterns: Sequence[str]) -> list[str]:
    return [pattern.format(label) for label in labels for pattern in patterns]


def _markdown_row(row: Row, table: Table) -> list[str]:
    cells = [row.method]
    for column in table.columns:
        cell = row.cells[column]
        cells += [
            _strong(str(cell.published or DASH), cell.published, table.best(column, "published")),
            _strong(figure(cell), cell.rebuilt, table.best(column, "rebuilt")),
            points(cell.difference),
        ]
    if table.baseline:
        cells.append(versus(row.versus_baseline))
    return [*cells, status(row)]


def _strong(text: str, value: Decimal | None, best: Decimal | None) -> str:
    return f"**{text}**" if value is not None and value == best else text


def comma_separated(table: Table) -> str:
    """One line per row with every value in a column of its own; empty where there is none."""
    ends = ("paper", "rebuilt", "low", "high", "std", "seeds", "difference")
    names = [f"{column}_{end}" for column in table.columns for end in ends]
    tail = [f"mAP_vs_{table.against.lower()}{end}" for end in ("", "_low", "_high", "_seeds")]
    header = ["table", "profile", "method", "run", "status", "trained_to_the_end", *names]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header + (tail if table.baseline else []))
    writer.writerows(_flat(row, table) for row in table.rows)
    return buffer.getvalue()


def _flat(row: Row, table: Table) -> list[object]:
    trained = str(not row.undertrained).lower() if row.endings else ""
    flat: list[object] = [table.id, table.profile, row.method, row.run, row.status, trained]
    for column in table.columns:
        cell = row.cells[column]
        flat += [cell.published, cell.rebuilt, cell.low, cell.high]
        flat += [cell.std, cell.seeds, cell.difference]
    if table.baseline:
        d = row.versus_baseline
        flat += [*(f"{v:.2f}" for v in (d.points, d.low, d.high)), d.seeds] if d else [None] * 4
    return flat


def latex(table: Table) -> str:
    """A floating booktabs table with the notes in its caption."""
    filters: Filters = {"escaped": _escaped, "strong": _bold, "math": _math}
    helpers = {"points": points, "spread": spread, "versus": versus, "mark": _mark}
    return (
        rendered("table.tex.j2", filters, table=table, labels=column_labels(table), **helpers)
        + "\n"
    )


def _mark(row: Row) -> str:
    if row.status == "cited":
        return " (cited)"
    return f" ({UNDERTRAINED})" if row.undertrained else ""


def _bold(value: Decimal | None, best: Decimal | None) -> str:
    if value is None:
        return "--"
    return f"\\textbf{{{value}}}" if value == best else str(value)


def _math(text: str) -> str:
    return "--" if text == DASH else f"${text}$"


def _escaped(text: str) -> str:
    return text.translate(SPECIAL)


def write_table(table: Table, folder: Path) -> None:
    """`folder/ID.md`, `.csv` and `.tex`."""
    writers: dict[str, Callable[[Table], str]] = {
        "md": markdown,
        "csv": comma_separated,
        "tex": latex,
    }
    for extension, text in writers.items():
        write_text(folder / f"{table.id}.{extension}", text(table))

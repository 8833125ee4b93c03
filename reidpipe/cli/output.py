"""How commands print tables: for a reader, as CSV or as JSON.

What is printed is text, never markup: a file may be called `cam[left].jpg`.
"""

import sys
from collections.abc import Sequence
from csv import writer as csv_writer
from json import dumps
from typing import Annotated, NamedTuple

import typer

_WIDE = 160
"""Columns where the output goes to a file or a pipe, which have no width of their own."""

Csv = Annotated[bool, typer.Option("--csv", help="CSV with every digit.")]
Json = Annotated[bool, typer.Option("--json", help="JSON with every digit.")]


class Column(NamedTuple):
    """One column: what programs call it, the format of its values, and what a reader sees."""

    key: str
    format: str = ""
    title: str = ""


def show(
    columns: Sequence[Column],
    rows: Sequence[Sequence[object]],
    *,
    csv: bool = False,
    json: bool = False,
) -> None:
    """Print `rows` as a table, or with every digit as CSV or JSON (a list of objects)."""
    keys = [column.key for column in columns]
    if json:
        print(dumped([dict(zip(keys, row, strict=True)) for row in rows]))
    elif csv:
        writer = csv_writer(sys.stdout, lineterminator="\n")
        writer.writerow(keys)
        writer.writerows([spaced(value) for value in row] for row in rows)
    else:
        draw(_table(columns, rows))


def spaced(value: object, spec: str = "") -> object:
    """A list as its members with spaces between; `spec` formats each number for a reader."""
    if isinstance(value, list):
        return " ".join(str(spaced(each, spec)) for each in value)
    return format(value, spec) if spec else value


def exclusive(*, csv: bool, json: bool) -> bool:
    """Whether a program reads the output.

    Raises:
        typer.BadParameter: both forms are asked for.
    """
    if csv and json:
        raise typer.BadParameter("--csv and --json exclude each other")
    return csv or json


def dumped(content: object) -> str:
    """JSON as all commands print it."""
    return dumps(content, indent=2, ensure_ascii=False, allow_nan=False)


def _table(columns: Sequence[Column], rows: Sequence[Sequence[object]]) -> object:
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for column in columns:
        table.add_column(Text(column.title or column.key))
    for row in rows:
        cells = zip(columns, row, strict=True)
        table.add_row(*(Text(str(spaced(value, column.format))) for column, value in cells))
    return table


def draw(table: object) -> None:
    """Print what rich drew, as wide as the terminal, or wide enough to be read from a file."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False).print(table)


def note(text: str, *, apart: bool) -> None:
    """Print a line beside the table; `apart` from what a program reads, on standard error."""
    print(text, file=sys.stderr if apart else sys.stdout)

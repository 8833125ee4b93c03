"""reidpipe doctor."""

import shutil
import textwrap
from collections.abc import Iterator
from dataclasses import astuple, fields
from typing import TYPE_CHECKING, Annotated

import typer

from reidpipe.cli.output import Column, Csv, Json, exclusive, show

if TYPE_CHECKING:
    from reidpipe.commands.doctor import Finding

ITEM = 28
"""Columns; the longest run of dvc.yaml has 26."""
_NARROW = 60


def doctor(
    profile: Annotated[
        str, typer.Option(help="embedded or paper; default: that of params.yaml")
    ] = "",
    csv: Csv = False,
    json: Json = False,
) -> None:
    """Say whether this machine can run a profile, what is missing, and how long it would take.

    Exit status: 0 when it can, 1 when something is missing.

    Example: reidpipe doctor --profile paper
    """
    from reidpipe.commands.doctor import Finding, examine
    from reidpipe.formats import params

    machine = exclusive(csv=csv, json=json)
    chosen = params.load(profile=profile or None)
    if machine:
        found = [astuple(finding) for finding in examine(chosen)]
        show([Column(field.name) for field in fields(Finding)], found, csv=csv, json=json)
        raise typer.Exit(0 if all(fine for _, fine, *_ in found) else 1)
    print(f"profile {chosen.profile}\n")
    missing = []
    for finding in examine(chosen):  # each line as soon as it is known: steps take seconds
        print(*lines(finding), sep="\n", flush=True)
        missing += [] if finding.fine else [finding.item]
    print()
    print(folded(f"not ready: {', '.join(missing)}" if missing else "ready", "", " " * 11))
    raise typer.Exit(1 if missing else 0)


def lines(finding: "Finding") -> Iterator[str]:
    """The finding, and its fix below."""
    start = f"{'ok' if finding.fine else 'NO'}  {finding.item:<{ITEM}}"
    indent = " " * len(start)
    yield folded(finding.found, start, indent)
    if not finding.fine:
        for line in finding.fix.splitlines():
            yield folded(line, indent + "-> ", indent + "   ")


def folded(text: str, first: str, others: str) -> str:
    """As wide as the terminal; paths stay whole, to be copied."""
    return textwrap.fill(
        text,
        max(_NARROW, shutil.get_terminal_size().columns),
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )

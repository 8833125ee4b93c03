"""One self-contained HTML page from what the other modules drew."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup

from reidpipe.files import write_text
from reidpipe.formats.params import Params
from reidpipe.reporting import formats
from reidpipe.reporting.ledger import COUNTING, READING, SIZES
from reidpipe.reporting.pictures.illustration import Illustrations
from reidpipe.reporting.reading.published import LABELS, Published
from reidpipe.reporting.rendering import Filters, rendered
from reidpipe.reporting.science import seeds
from reidpipe.reporting.science.claims import (
    Check,
    failures,
    published_detail,
    rebuilt_detail,
)
from reidpipe.reporting.science.costs import Costs
from reidpipe.reporting.science.ending import Ending, summary
from reidpipe.reporting.science.seeds import SeedTable
from reidpipe.reporting.science.tables import Row, Table, rebuilt, setup, warning

_MINUS = re.compile(r"(?<!\w)-(?=\d)")


@dataclass(frozen=True)
class Content:
    """Everything that the page shows."""

    params: Params
    published: Published
    tables: Sequence[Table]
    checks: Sequence[Check]
    costs: Costs
    pictures: Illustrations
    provenance: dict[str, str]
    seeds: Sequence[SeedTable] = ()
    endings: Mapping[str, Mapping[int, Ending]] = field(default_factory=dict)

    @property
    def costed(self) -> dict[str, Row]:
        """The first run of each method and cost: most cost the same on all data sets."""
        found: dict[object, tuple[str, Row]] = {}
        for run, row in rebuilt(self.tables).items():
            found.setdefault((row.method, self.costs.profile[run]), (run, row))
        return dict(found.values())


def write_page(content: Content, path: Path) -> None:
    write_text(path, page(content))


def minus(text: str) -> str:
    """The sign before a number as typographers and screen readers want it."""
    return _MINUS.sub("\N{MINUS SIGN}", text)


def page(content: Content) -> str:
    """The page as text: style, script, figures and photographs are all inside it."""
    filters: Filters = {
        "minus": minus,
        "points": formats.points,
        "spread": formats.spread,
        "csv": formats.comma_separated,
        "latex": formats.latex,
        "published_detail": published_detail,
        "rebuilt_detail": rebuilt_detail,
        "failures": failures,
        # Our own drawings: the only text that is not escaped.
        "inline": lambda drawing: Markup(drawing.inline),  # noqa: S704
    }
    return rendered(
        "index.html.j2",
        filters,
        content=content,
        labels=LABELS,
        warning=warning(content.params),
        setup=setup(content.params),
        training=summary(content.endings),
        judged=_judged(content.tables[0]),
        counting=COUNTING,
        reading=f"{READING} {SIZES}",
        reading_seeds=seeds.READING,
        outdated=seeds.OUTDATED,
    )


def _judged(table: Table) -> int:
    """Seeds that every difference of a table stands on."""
    found = [row.versus_baseline.seeds for row in table.rows if row.versus_baseline]
    return min(found, default=1)

"""Text from a template of this folder."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

Filters = Mapping[str, Callable[..., Any]]
# In LaTeX every brace is taken.
_LATEX: dict[str, Any] = {
    "variable_start_string": "<<",
    "variable_end_string": ">>",
    "block_start_string": "<%",
    "block_end_string": "%>",
}


def rendered(template: str, filters: Filters, **values: object) -> str:
    """`template` (NAME.html.j2, .md.j2 or .tex.j2) filled in; only HTML is escaped."""
    kind = Path(template).suffixes[-2]
    environment = Environment(
        loader=PackageLoader("reidpipe.reporting"),
        autoescape=kind == ".html",  # noqa: S701 - Markdown and LaTeX, of our own words
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        **(_LATEX if kind == ".tex" else {}),
    )
    environment.filters |= filters
    return environment.get_template(template).render(**values)

"""What a search has found as one HTML page, which needs no other file and no network."""

from collections.abc import Sequence
from typing import NamedTuple

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from PIL import Image

from reidpipe.commands.search.found import Found
from reidpipe.formats.pictures import decode
from reidpipe.reporting.pictures.pictures import data_uri

SIDE = 640
"""Pixels: a photograph that is wider or higher is made smaller."""


class Shown(NamedTuple):
    """One photograph of the page."""

    uri: str
    name: str
    distance: str = ""
    near: bool | None = None
    """Whether it is nearer than the limit; None without one."""


def page(
    found: Found,
    queries: Sequence[str],
    *,
    run: str,
    gallery: str,
    notes: Sequence[str],
    limit: float | None = None,
) -> str:
    """The page as text: style, script and photographs are all inside it.

    `queries` are the names of the query's photographs, `notes` what a reader must know beside the
    list, `limit` the distance below which a match is said to be near.
    """
    asked = [
        Shown(_uri(content), name) for content, name in zip(found.queries, queries, strict=True)
    ]
    matches = [
        Shown(
            _uri(match.content),
            match.name,
            f"{match.distance:.4f}",
            None if limit is None else match.distance < limit,
        )
        for match in found.matches
    ]
    environment = Environment(
        # The report's page has the colours and the type.
        loader=ChoiceLoader([PackageLoader(__package__), PackageLoader("reidpipe.reporting")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("found.html.j2").render(
        asked=asked,
        matches=matches,
        run=run,
        gallery=gallery,
        notes=notes,
        limit=None if limit is None else f"{limit:.4f}",
        metric=found.metric,
    )


def _uri(content: bytes) -> str:
    """Upright, as it was looked at; what no browser shows (16 bits) it shows then."""
    image = decode(content)
    image.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC)
    return data_uri(image)

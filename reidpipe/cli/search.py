"""reidpipe search."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reidpipe.cli.output import Column, Csv, Json, exclusive, note, show

if TYPE_CHECKING:
    from reidpipe.commands.search import Found


def search(
    run: Annotated[str, typer.Argument(help="A trained run, as in runs/RUN.")],
    gallery: Annotated[Path, typer.Argument(help="A folder or zip of person images.")],
    query_image: Annotated[str, typer.Argument(help="An image file, or an image of the gallery.")],
    top: Annotated[int, typer.Option(min=1, help="How many matches to show.")] = 10,
    picture: Annotated[
        Path | None, typer.Option(help="Write query and matches side by side to this PNG.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse a gallery with images that cannot be read.")
    ] = False,
    fpr: Annotated[
        str,
        typer.Option(
            help="Mark what is as near as only this share of pairs of two people is, on the run's "
            "own data set: 1e-2, 1e-3 or 1e-4."
        ),
    ] = "",
    csv: Csv = False,
    json: Json = False,
) -> None:
    """Find the images of a gallery that show the person of a query image, nearest first.

    Whether one shows the same person is a matter of the distance: see --fpr.

    Example: reidpipe search market1501-ours photos/ who.jpg --picture found.png
    """
    from reidpipe.cli.trained import model_file, threshold
    from reidpipe.commands.search import search as nearest_to
    from reidpipe.files import check_writable, write_bytes
    from reidpipe.formats import params

    machine = exclusive(csv=csv, json=json)
    profile = params.load().active
    if picture:
        if picture.suffix.lower() != ".png":
            raise typer.BadParameter(f"{picture} does not end in .png", param_hint="--picture")
        check_writable(picture)
    limit = threshold(run, fpr) if fpr else None
    found = nearest_to(model_file(run), gallery, query_image, profile, top, strict=strict)
    title = f"{found.metric} distance"
    columns = [Column("rank"), Column("image"), Column("distance", ".4f", title)]
    rows = [[n, match.name, match.distance] for n, match in enumerate(found.matches, start=1)]
    if limit is not None:
        columns.append(Column("same", title="the same person"))
        for row, match in zip(rows, found.matches, strict=True):
            row.append(match.distance < limit)
    show(columns, rows, csv=csv, json=json)
    for line in _notes(found, str(gallery)):
        note(line, apart=machine)
    if limit is not None:
        note(
            f"the same person: nearer than {limit:.4f}, as at most {fpr} of the pairs of two "
            f"people are on the data set of {run}; other cameras have another such distance",
            apart=machine,
        )
    if picture:
        from reidpipe.formats.pictures import decode
        from reidpipe.reporting.pictures.pictures import png
        from reidpipe.reporting.pictures.rank_list import strip

        images = [decode(match.content) for match in found.matches]
        write_bytes(picture, png(strip(decode(found.query), images)))


def _notes(found: "Found", gallery: str) -> Iterator[str]:
    """What else a reader of the list must know."""
    others = f"; {found.others} other files were left out" if found.others else ""
    yield f"{found.images} images of {gallery} searched{others}"
    if found.skipped:
        yield f"{len(found.skipped)} could not be read and were passed over\n{found.skipped}"
    if found.squeezed:
        yield (
            f"{found.squeezed} have quite another shape than a person's box and were squeezed into "
            "the network's: cut the people out first"
        )

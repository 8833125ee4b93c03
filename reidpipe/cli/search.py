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
    query_images: Annotated[
        list[str],
        typer.Argument(
            help="Image files, or images of the gallery; several show one person, who is searched "
            "for by their mean."
        ),
    ],
    top: Annotated[int, typer.Option(min=1, help="How many matches to show.")] = 10,
    box: Annotated[
        list[str] | None,
        typer.Option(
            metavar="X,Y,W,H",
            help="Where in the query image the person is, in pixels from the upper left; once for "
            "all images, or once for each.",
        ),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Write query and matches side by side to this PNG.")
    ] = None,
    page: Annotated[
        Path | None, typer.Option(help="Write query and matches to this HTML page, for a browser.")
    ] = None,
    index: Annotated[
        Path | None,
        typer.Option(help="Keep the gallery's embeddings in this file for the next search."),
    ] = None,
    approximate: Annotated[
        bool,
        typer.Option(
            "--approximate",
            help="Look at the most promising part of a large --index alone, by FAISS.",
        ),
    ] = False,
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
    from reidpipe.files import write_bytes, write_text
    from reidpipe.formats import params

    machine = exclusive(csv=csv, json=json)
    profile = params.load().active
    _check(picture, page, index, approximate=approximate)
    limit = threshold(run, fpr) if fpr else None
    found = nearest_to(
        model_file(run),
        gallery,
        query_images,
        profile,
        top,
        boxes=box or (),
        strict=strict,
        index=index,
        approximate=approximate,
    )
    columns, rows = _table(found, limit)
    show(columns, rows, csv=csv, json=json)
    notes = [*_notes(found, str(gallery))]
    if approximate and not found.approximate:
        notes.append("searched exactly: for so few images that takes no longer")
    if limit is not None:
        notes.append(
            f"the same person: nearer than {limit:.4f}, as at most {fpr} of the pairs of two "
            f"people are on the data set of {run}; other cameras have another such distance"
        )
    for line in notes:
        note(line, apart=machine)
    if picture:
        from reidpipe.commands.search.picture import picture as drawn
        from reidpipe.reporting.pictures.pictures import png

        write_bytes(picture, png(drawn(found)))
    if page:
        from reidpipe.commands.search.page import page as written

        text = written(found, query_images, run=run, gallery=str(gallery), notes=notes, limit=limit)
        write_text(page, text)


def _check(
    picture: Path | None, page: Path | None, index: Path | None, *, approximate: bool
) -> None:
    """Refuse before the work what could not be written in the end."""
    from reidpipe.files import check_writable

    if picture and picture.suffix.lower() != ".png":
        raise typer.BadParameter(f"{picture} does not end in .png", param_hint="--picture")
    if page and page.suffix.lower() != ".html":
        raise typer.BadParameter(f"{page} does not end in .html", param_hint="--page")
    if approximate and not index:
        raise typer.BadParameter(
            "needs --index FILE: to sort the images into lists takes longer than to look at each",
            param_hint="--approximate",
        )
    for path in filter(None, (picture, page, index)):
        check_writable(path)


def _table(found: "Found", limit: float | None) -> tuple[list[Column], list[list[object]]]:
    title = f"{found.metric} distance"
    columns = [Column("rank"), Column("image"), Column("distance", ".4f", title)]
    rows: list[list[object]] = [
        [number, match.name, match.distance] for number, match in enumerate(found.matches, start=1)
    ]
    if limit is not None:
        columns.append(Column("same", title="the same person"))
        for row, match in zip(rows, found.matches, strict=True):
            row.append(match.distance < limit)
    return columns, rows


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
    if len(found.queries) > 1:
        yield (
            f"distances are the mean over the {len(found.queries)} photographs of the query; a "
            "false positive rate is that of single ones"
        )
    if found.approximate:
        from reidpipe.commands.search.approximate import SHARE

        yield (
            f"approximate: of the images those of one list in {SHARE} were looked at, and nearer "
            "ones may be missing"
        )
    if found.told:
        yield found.told

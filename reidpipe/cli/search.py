"""reidpipe search."""

from pathlib import Path
from typing import Annotated

import typer


def search(
    run: Annotated[str, typer.Argument(help="A trained run, as in runs/RUN.")],
    gallery: Annotated[Path, typer.Argument(help="A folder or zip of person images.")],
    query_image: Annotated[str, typer.Argument(help="An image file, or an image of the gallery.")],
    top: Annotated[int, typer.Option(min=1, help="How many matches to show.")] = 10,
    picture: Annotated[
        Path | None, typer.Option(help="Write query and matches side by side to this PNG.")
    ] = None,
) -> None:
    """Find the images of a gallery that show the person of a query image, nearest first.

    Example: reidpipe search market1501-ours photos/ who.jpg --picture found.png
    """
    from rich.console import Console
    from rich.table import Table

    from reidpipe.cli.trained import model_file
    from reidpipe.commands.search import search as nearest_to
    from reidpipe.formats import params

    profile = params.load().active
    if picture and picture.suffix.lower() != ".png":
        raise typer.BadParameter(f"{picture} does not end in .png", param_hint="--picture")
    found = nearest_to(model_file(run), gallery, query_image, profile, top)
    table = Table("rank", "image", f"{profile.evaluate.metric} distance")
    for rank, match in enumerate(found.matches, start=1):
        table.add_row(str(rank), match.name, f"{match.distance:.4f}")
    console = Console()
    console.print(table)
    others = f"; {found.others} other files were left out" if found.others else ""
    console.print(f"{found.images} images of {gallery} searched{others}")
    if picture:
        from reidpipe.files import write_bytes
        from reidpipe.formats.pictures import decode
        from reidpipe.reporting.pictures.pictures import png
        from reidpipe.reporting.pictures.rank_list import strip

        images = [decode(match.content) for match in found.matches]
        write_bytes(picture, png(strip(decode(found.query), images)))

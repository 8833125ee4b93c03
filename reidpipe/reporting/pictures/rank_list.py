"""Fig. 6 of the paper: a probe, what was retrieved for it, and what should have been.

Red marks a correct result and blue a wrong one, as in the paper; a tick or a cross says the same
to those who do not see the difference.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from reidpipe.formats.ranking import Ranking
from reidpipe.reporting.pictures.pictures import DataSet, Shot, data_uri

SHOWN = 10
CORRECT, WRONG, NEUTRAL = "#c62828", "#1565c0", "#9aa0a6"
KINDS = {"Best query": 1.0, "Median query": 0.5, "Worst query": 0.0}
"""Where a query stands among all, ordered by average precision."""


@dataclass(frozen=True)
class Tile:
    """One image of a list."""

    shot: Shot
    correct: bool | None
    """None for the probe and the true matches, which are not judged."""
    uri: str
    """Empty where photographs are left out."""


@dataclass(frozen=True)
class RankList:
    """One row of Fig. 6."""

    kind: str
    average_precision: float
    """In percent."""
    probe: Tile
    ranked: tuple[Tile, ...]
    matches: tuple[Tile, ...]
    """The first true matches in manifest order."""
    num_matches: int


def chosen(ranking: Ranking) -> dict[str, int]:
    """Rows of `ranking` with the highest, the median and the lowest average precision."""
    order = np.argsort(ranking.average_precision, kind="stable")
    return {kind: int(order[round(place * (len(order) - 1))]) for kind, place in KINDS.items()}


def rank_list(kind: str, row: int, ranking: Ranking, data: DataSet, *, images: bool) -> RankList:
    """The list of one row of `ranking`."""
    query = data.subsets["query"][ranking.query[row]]
    gallery = data.subsets["gallery"]
    matches = [shot for shot in gallery if shot.pid == query.pid and shot.camid != query.camid]

    def tile(shot: Shot, correct: bool | None) -> Tile:
        return Tile(shot, correct, data_uri(data.picture(shot)) if images else "")

    retrieved = [gallery[index] for index in ranking.top[row][:SHOWN] if index >= 0]
    return RankList(
        kind=kind,
        average_precision=float(100 * ranking.average_precision[row]),
        probe=tile(query, None),
        ranked=tuple(tile(shot, shot.pid == query.pid) for shot in retrieved),
        matches=tuple(tile(shot, None) for shot in matches[:SHOWN]),
        num_matches=len(matches),
    )


def drawn(lists: Sequence[RankList], data: DataSet) -> Image.Image:
    """The lists as the paper prints them: probe left, retrieved above, true matches below."""
    parts = [_drawn(one, data) for one in lists]
    whole = Image.new("RGB", (parts[0].width, sum(part.height for part in parts)), "white")
    top = 0
    for part in parts:
        whole.paste(part, (0, top))
        top += part.height
    return whole


WIDTH, HEIGHT, GAP, BORDER = 64, 128, 8, 4


def _drawn(one: RankList, data: DataSet) -> Image.Image:
    step = WIDTH + GAP
    image = Image.new("RGB", (step * (SHOWN + 1) + 3 * GAP, 2 * (HEIGHT + GAP) + 2 * GAP), "white")
    middle = (image.height - HEIGHT) // 2
    _paste(image, data.picture(one.probe.shot), one.probe.correct, (GAP, middle))
    for row, tiles in enumerate((one.ranked, one.matches)):
        for column, tile in enumerate(tiles):
            place = step * (column + 1) + 2 * GAP, GAP + row * (HEIGHT + GAP)
            _paste(image, data.picture(tile.shot), tile.correct, place)
    return image


def strip(probe: Image.Image, ranked: Sequence[Image.Image]) -> Image.Image:
    """A probe and what was retrieved for it where nobody knows who is who: nothing is marked."""
    step = WIDTH + GAP
    image = Image.new("RGB", (step * (len(ranked) + 1) + 3 * GAP, HEIGHT + 2 * GAP), "white")
    _paste(image, probe, None, (GAP, GAP))
    for column, picture in enumerate(ranked, start=1):
        _paste(image, picture, None, (step * column + 2 * GAP, GAP))
    return image


def _paste(
    image: Image.Image, picture: Image.Image, correct: bool | None, place: tuple[int, int]
) -> None:
    left, top = place
    image.paste(picture.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), place)
    colour = NEUTRAL if correct is None else CORRECT if correct else WRONG
    draw = ImageDraw.Draw(image)
    box = left - BORDER // 2, top - BORDER // 2, left + WIDTH + 1, top + HEIGHT + 1
    draw.rectangle(box, outline=colour, width=BORDER)
    if correct is not None:
        _mark(draw, left + WIDTH - 17, top + HEIGHT - 17, correct=correct, colour=colour)


def _mark(draw: ImageDraw.ImageDraw, x: int, y: int, *, correct: bool, colour: str) -> None:
    """A tick or a cross of lines on a small square, so that no font is needed."""
    draw.rectangle((x, y, x + 16, y + 16), fill=colour)
    lines = [(3, 9, 7, 13), (7, 13, 13, 4)] if correct else [(4, 4, 12, 12), (4, 12, 12, 4)]
    for x0, y0, x1, y1 in lines:
        draw.line((x + x0, y + y0, x + x1, y + y1), fill="white", width=2)

"""A query and its matches side by side."""

from PIL import Image

from reidpipe.commands.search.found import Found
from reidpipe.formats.pictures import decode
from reidpipe.reporting.pictures.rank_list import strip


def picture(found: Found) -> Image.Image:
    """RGB: the query's photographs on the left, then the matches, nearest first."""
    *others, last = map(decode, found.queries)
    matches = [decode(match.content) for match in found.matches]
    parts = [*(strip(other, []) for other in others), strip(last, matches)]
    whole = Image.new("RGB", (sum(part.width for part in parts), parts[0].height))
    left = 0
    for part in parts:
        whole.paste(part, (left, 0))
        left += part.width
    return whole

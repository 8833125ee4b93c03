"""DukeMTMC-reID (Zheng et al., ICCV 2017): Market-1501's folders, `0001_c2_f0046182.jpg`.

Without -1 and 0000: its 408 distractors have identities of their own, which no query shows.
"""

from reidpipe.datasets import market1501
from reidpipe.datasets.reading import Reading
from reidpipe.datasets.sources.listing import Tree
from reidpipe.errors import Problems

VARIANTS = market1501.VARIANTS


def read(tree: Tree, problems: Problems) -> Reading:
    """Records of all three folders; what is wrong with names goes to `problems`."""
    rows = market1501.boxes(tree, problems)
    for row in rows:
        if row.pid == market1501.JUNK:
            problems.add("images of -1, which DukeMTMC-reID does not have", row.member)
    return Reading(records=tuple(rows))

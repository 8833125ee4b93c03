"""Market-1501 (Zheng et al., ICCV 2015): three folders of `0002_c1s1_000451_03.jpg`.

The name gives the identity (0002) and the camera (c1); what follows is free. In
`bounding_box_test`, -1 marks bad boxes, which the protocol ignores, and 0000 people who are in no
query: distractors, which stay. A data set of one's own in this layout has any ids and cameras, or
no camera in any name: then it is trained on and searched, and not evaluated.
"""

import re

from reidpipe.datasets.reading import Reading, Record
from reidpipe.datasets.sources.listing import Tree
from reidpipe.errors import Problems
from reidpipe.formats.manifest import Subset

FOLDERS: dict[str, Subset] = {
    "bounding_box_train": "train",
    "query": "query",
    "bounding_box_test": "gallery",
}
VARIANTS = (tuple(f"{folder}/" for folder in FOLDERS),)
JUNK, DISTRACTOR = -1, 0
_WRONG = "names that are not PID_cCAMERA....jpg"

_NAME = re.compile(r"(-1|\d{1,9})_c(\d{1,4})(?!\d)[^/]*\.(?:jpe?g|png)", re.IGNORECASE | re.ASCII)
_PLAIN = re.compile(r"(-1|\d{1,9})(?:_(?!c)[^/]*)?\.(?:jpe?g|png)", re.IGNORECASE | re.ASCII)
"""A name without a camera, where no name has one: camera 0."""


def read(tree: Tree, problems: Problems) -> Reading:
    """Records of all three folders; what is wrong with names goes to `problems`."""
    everything = boxes(tree, problems)
    for row in everything:
        if row.subset != "gallery" and row.pid in {JUNK, DISTRACTOR}:
            problems.add(
                "images of -1 or 0000, which only bounding_box_test may hold: count from 1",
                row.member,
            )
    return Reading(
        records=tuple(row for row in everything if row.pid != JUNK),
        junk=tuple(row.member for row in everything if row.pid == JUNK),
    )


def boxes(tree: Tree, problems: Problems) -> list[Record]:
    """Every image of the three folders; names that do not parse go to `problems`."""
    rows, plain = [], []
    for member in sorted(tree.sizes):
        folder, _, name = member.partition("/")
        if folder not in FOLDERS:
            continue
        if found := _NAME.fullmatch(name):
            rows.append(Record(member, int(found[1]), int(found[2]), FOLDERS[folder]))
        elif found := _PLAIN.fullmatch(name):
            plain.append(Record(member, int(found[1]), 0, FOLDERS[folder]))
        else:
            problems.add(_WRONG, ascii(member))
    if not rows:
        return plain
    for row in plain:
        problems.add(_WRONG, ascii(row.member))
    return rows

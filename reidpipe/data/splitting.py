"""A packed data set read by its benchmark's rules: its manifest, its figures, what is wrong."""

from collections import Counter
from pathlib import Path
from statistics import median

from reidpipe.data import checks, layouts
from reidpipe.data.problems import Problems
from reidpipe.data.reading import SUBSETS, Reading, Record
from reidpipe.data.records import COLUMNS, rows
from reidpipe.data.sources.listing import Tree
from reidpipe.data.sources.opening import open_tree
from reidpipe.files import write_csv
from reidpipe.params import Counts


def split(
    zipped: Path,
    manifest: Path,
    layout: str,
    *,
    use_val: bool = False,
    counts: Counts | None = None,
) -> dict[str, int | float]:
    """Read a packed data set by its benchmark's rules; write the manifest and return its figures.

    Raises:
        UserError: everything that names, identities, cameras and published counts show as wrong.
    """
    with open_tree(zipped, zipped.parent) as tree:
        reading = read_checked(tree, layout, counts)
    write_csv(manifest, COLUMNS, rows(reading.used(use_val=use_val)))
    return summary(reading, use_val=use_val)


def read_checked(tree: Tree, layout: str, counts: Counts | None) -> Reading:
    """Read a tree that `layouts.locate` found.

    Raises:
        UserError: all that is wrong with it, at once.
    """
    problems = Problems()
    reading = layouts.LAYOUTS[layout].read(tree, problems)
    checks.check(reading, counts, problems)
    problems.refuse(tree.path, fix="docs/datasets.md shows the layout; counts are in params.yaml")
    return reading


def summary(reading: Reading, *, use_val: bool) -> dict[str, int | float]:
    """Figures of a data set, flat: identities and images a subset, cameras, what is dropped."""
    used = reading.used(use_val=use_val)
    sought = {row.pid for row in reading.of("query")}
    figures: dict[str, int | float] = {"cameras": len({row.camid for row in used})}
    for subset in SUBSETS:
        own = [row for row in used if row.subset == subset]
        known = own if subset == "train" else [row for row in own if row.pid in sought]
        figures |= {f"{subset}_images": len(own), **_per_identity(subset, known)}
    distractors = [row for row in reading.of("gallery") if row.pid not in sought]
    return figures | {
        "distractor_images": len(distractors),
        "distractor_ids": len({row.pid for row in distractors}),
        "junk_dropped": len(reading.junk),
        "queries_without_match": len(checks.unmatched(used)),
        "train_images_without_val": len(reading.of("train")),
        "train_images_with_val": len(reading.of("train")) + len(reading.val),
    }


def _per_identity(subset: str, records: list[Record]) -> dict[str, int | float]:
    sizes = Counter(row.pid for row in records).values()
    return {
        f"{subset}_ids": len(sizes),
        f"{subset}_images_per_id_min": min(sizes, default=0),
        f"{subset}_images_per_id_median": median(sizes) if sizes else 0,
        f"{subset}_images_per_id_max": max(sizes, default=0),
    }

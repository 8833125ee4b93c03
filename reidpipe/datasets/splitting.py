"""A packed data set read by its benchmark's rules: its manifest, its counts, what is wrong."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

from reidpipe.datasets import checks, layouts
from reidpipe.datasets.reading import Reading, Record
from reidpipe.datasets.sources.listing import Tree
from reidpipe.datasets.sources.opening import open_tree
from reidpipe.datasets.twins import twins
from reidpipe.errors import SHOWN, Problems
from reidpipe.files import write_csv
from reidpipe.formats.manifest import COLUMNS, SUBSETS
from reidpipe.formats.settings.data import Counts


def split(
    zipped: Path,
    manifest: Path,
    layout: str,
    *,
    use_val: bool = False,
    published: Mapping[str, int] | None = None,
    say: Callable[[str], object] = str,
) -> dict[str, int | float]:
    """Read a packed data set by its benchmark's rules; write the manifest and return its counts.

    `say` is told what a user should know.

    Raises:
        UserError: everything that names, identities, cameras and published counts show as wrong.
    """
    with open_tree(zipped, zipped.parent) as tree:
        expected = Counts.model_validate(published) if published else None
        reading = read_checked(tree, layout, expected)
    used = reading.used(use_val=use_val)
    same = twins(zipped, used, shared_ids=reading.shared_ids)
    write_csv(manifest, COLUMNS, rows(used))
    counts = summary(reading, use_val=use_val) | {"images_under_two_identities": len(same)}
    for remark in _remarks(reading, counts, same):
        say(remark)
    return counts


def _remarks(
    reading: Reading, counts: Mapping[str, int | float], same: Sequence[Sequence[Record]]
) -> Iterator[str]:
    if len({row.camid for row in reading.of("query", "gallery")}) == 1:
        yield "one camera: it can be trained on and searched, and is not evaluated"
    elif lonely := counts["queries_without_match"]:
        yield f"{lonely} queries have no match under another camera; the protocol skips them"
    if counts["cameras"] == len({row.member for row in reading.records}):
        yield "every image has a camera of its own: is that number in the names one of frames?"
    if same:
        yield f"{len(same)} images stand under two identities, by equal pixels:"
        yield from ("  " + ", ".join(row.member for row in group) for group in same[:SHOWN])


def rows(records: Iterable[Record]) -> list[tuple[str, int, int, str, int]]:
    """Manifest rows: train, query, gallery, then by member; labels 0..C-1 by train pid."""
    ordered = sorted(records, key=lambda row: (SUBSETS.index(row.subset), row.member))
    pids = sorted({row.pid for row in ordered if row.subset == "train"})
    labels = {pid: label for label, pid in enumerate(pids)}
    return [(*row, labels[row.pid] if row.subset == "train" else -1) for row in ordered]


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
    """Counts of a data set, flat: identities and images per subset, cameras, what is dropped."""
    used = reading.used(use_val=use_val)
    sought = {row.pid for row in reading.of("query")}
    counts: dict[str, int | float] = {"cameras": len({row.camid for row in used})}
    for subset in SUBSETS:
        own = [row for row in used if row.subset == subset]
        known = own if subset == "train" else [row for row in own if row.pid in sought]
        counts |= {f"{subset}_images": len(own), **_per_identity(subset, known)}
    distractors = [row for row in reading.of("gallery") if row.pid not in sought]
    return counts | {
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

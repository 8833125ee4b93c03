"""What can be wrong with a data set though each of its names is right."""

from collections import defaultdict
from collections.abc import Iterable

from reidpipe.datasets.reading import Reading, Record
from reidpipe.errors import SHOWN, Problems
from reidpipe.formats.manifest import SUBSETS
from reidpipe.formats.settings.data import Counts

MIN_CAMERAS = 2


def check(reading: Reading, counts: Counts | None, problems: Problems) -> None:
    """Add to `problems`: empty subsets, leaking identities, lone cameras, unpublished counts."""
    for subset in SUBSETS:
        if not reading.of(subset):
            problems.add("subsets without a single image", subset)
    _check_identities(reading, problems)
    _check_cameras(reading, problems)
    if counts:
        _check_counts(reading, counts, problems)


def unmatched(rows: Iterable[Record]) -> list[Record]:
    """Queries whose identity no other camera of the gallery shows: the protocol skips them."""
    rows = list(rows)
    cameras: defaultdict[int, set[int]] = defaultdict(set)
    for row in rows:
        if row.subset == "gallery":
            cameras[row.pid].add(row.camid)
    return [row for row in rows if row.subset == "query" and not cameras[row.pid] - {row.camid}]


def found_counts(reading: Reading) -> Counts:
    """Identities and images per subset, as papers print them (test ids: those of queries)."""
    train, query = reading.of("train"), reading.of("query")
    return Counts.model_construct(
        train_ids=len({row.pid for row in train}),
        train=len(train),
        test_ids=len({row.pid for row in query}),
        query=len(query),
        gallery=len(reading.of("gallery")),
    )


def _check_identities(reading: Reading, problems: Problems) -> None:
    if not reading.shared_ids:
        return
    train = {row.pid for row in reading.of("train")}
    queries = {row.pid for row in reading.of("query")}
    gallery = {row.pid for row in reading.of("gallery")}
    if queries and queries <= train - gallery:
        problems.add("train and gallery that look swapped: the queries' identities are in train")
    for pid in sorted(train & (queries | gallery)):
        problems.add("identities that are in both train and test", str(pid))


def _check_cameras(reading: Reading, problems: Problems) -> None:
    train = {row.camid for row in reading.of("train")}
    if len(train) < MIN_CAMERAS:
        problems.add("fewer than two cameras", f"in train: {_numbers(train)}")
    test = {row.camid for row in reading.of("query", "gallery")}
    if len(test) < MIN_CAMERAS:
        problems.add("fewer than two cameras", f"in query and gallery: {_numbers(test)}")
    queries = reading.of("query")
    if len(test) >= MIN_CAMERAS and queries and len(unmatched(reading.records)) == len(queries):
        problems.add("no query has its identity in the gallery under another camera")


def _check_counts(reading: Reading, counts: Counts, problems: Problems) -> None:
    found, expected = found_counts(reading).model_dump(), counts.model_dump()
    for name, value in expected.items():
        if found[name] != value:
            problems.add(
                "counts other than the published ones",
                f"{name}: expected {value:,}, found {found[name]:,}",
            )
    if found["train"] == expected["gallery"] or found["query"] == expected["gallery"]:
        problems.add("folders that look swapped: another one has the gallery's count")


def _numbers(values: set[int]) -> str:
    return ", ".join(map(str, sorted(values)[:SHOWN])) or "none"

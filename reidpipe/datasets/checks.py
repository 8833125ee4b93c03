"""What can be wrong with a data set though each of its names is right."""

from collections import defaultdict
from collections.abc import Iterable

from reidpipe.datasets.reading import Reading, Record
from reidpipe.errors import Problems
from reidpipe.formats.manifest import SUBSETS
from reidpipe.formats.settings.data import Counts


def check(reading: Reading, counts: Counts | None, problems: Problems) -> None:
    """Add to `problems`: empty subsets, leaking identities, no valid query, unpublished counts."""
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
    """A set of one camera can be trained on and searched; of several, some query must be valid."""
    test = {row.camid for row in reading.of("query", "gallery")}
    queries = reading.of("query")
    if len(test) > 1 and queries and len(unmatched(reading.records)) == len(queries):
        problems.add("no query has its identity in the gallery under another camera")


def _check_counts(reading: Reading, counts: Counts, problems: Problems) -> None:
    found, expected = found_counts(reading).model_dump(), counts.model_dump()
    wrong = [name for name, value in expected.items() if found[name] != value]
    for name in wrong:
        problems.add(
            "counts other than the published ones",
            f"{name}: expected {expected[name]:,}, found {found[name]:,}",
        )
    if not {"train", "query"} & set(wrong):  # a set of two views has as many queries as gallery
        return
    if found["train"] == expected["gallery"] or found["query"] == expected["gallery"]:
        problems.add("folders that look swapped: another one has the gallery's count")

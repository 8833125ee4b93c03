from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reidpipe.datasets import checks, splitting
from reidpipe.datasets.reading import Reading, Record
from reidpipe.errors import Problems, UserError
from reidpipe.formats import manifest as records
from reidpipe.formats.manifest import SUBSETS
from reidpipe.formats.settings.data import Counts
from tests.datasets.archives import market, msmt, to_zip

ROWS = st.lists(
    st.builds(
        Record,
        member=st.text("abc", min_size=1, max_size=6),
        pid=st.sampled_from([0, 7, 99, 1501, 80_001]),
        camid=st.integers(1, 3),
        subset=st.sampled_from(SUBSETS),
    ),
    max_size=30,
    unique_by=lambda row: row.member,
)


@given(ROWS)
def test_rows_are_sorted_and_labels_follow_ascending_pids(rows: list[Record]) -> None:
    table = splitting.rows(rows)
    assert table == splitting.rows(reversed(rows))
    order = {"train": 0, "query": 1, "gallery": 2}
    assert [row[:4] for row in table] == sorted(rows, key=lambda r: (order[r.subset], r.member))
    known = sorted({row.pid for row in rows if row.subset == "train"})
    for _, pid, _, subset, label in table:
        assert label == (known.index(pid) if subset == "train" else -1)


@given(ROWS)
def test_unmatched_is_what_a_double_loop_finds(rows: list[Record]) -> None:
    slow = [
        q
        for q in rows
        if q.subset == "query"
        and not any(g.subset == "gallery" and g.pid == q.pid and g.camid != q.camid for g in rows)
    ]
    assert checks.unmatched(rows) == slow


def test_split_writes_the_manifest_and_counts(tmp_path: Path) -> None:
    zipped = to_zip(tmp_path / "set.zip", market())
    figures = splitting.split(zipped, tmp_path / "set.csv", "market1501")
    table = records.read(tmp_path / "set.csv")
    assert list(table.columns) == ["member", "pid", "camid", "subset", "label"]
    assert table["subset"].tolist() == ["train"] * 4 + ["query"] * 2 + ["gallery"] * 5
    assert table["label"].tolist() == [0, 0, 1, 1] + [-1] * 7
    assert table["pid"].tolist() == [2, 2, 7, 7, 3, 5, 0, 3, 3, 5, 5]
    assert not table["member"].str.contains("-1_").any()
    assert figures == {
        "cameras": 2,
        "train_images": 4,
        "train_ids": 2,
        "train_images_per_id_min": 2,
        "train_images_per_id_median": 2,
        "train_images_per_id_max": 2,
        "query_images": 2,
        "query_ids": 2,
        "query_images_per_id_min": 1,
        "query_images_per_id_median": 1,
        "query_images_per_id_max": 1,
        "gallery_images": 5,
        "gallery_ids": 2,
        "gallery_images_per_id_min": 2,
        "gallery_images_per_id_median": 2,
        "gallery_images_per_id_max": 2,
        "distractor_images": 1,
        "distractor_ids": 1,
        "junk_dropped": 1,
        "queries_without_match": 0,
        "images_under_two_identities": 0,
        "train_images_without_val": 4,
        "train_images_with_val": 4,
    }


def test_use_val_adds_the_validation_list_to_train(tmp_path: Path) -> None:
    zipped = to_zip(tmp_path / "set.zip", msmt())
    sizes = {}
    for use_val in (False, True):
        figures = splitting.split(zipped, tmp_path / "a.csv", "msmt17", use_val=use_val)
        table = records.read(tmp_path / "a.csv")
        sizes[use_val] = (table["subset"] == "train").sum(), figures["train_images"]
        assert figures["train_images_without_val"] == 4
        assert figures["train_images_with_val"] == 5
    assert sizes == {False: (4, 4), True: (5, 5)}


COUNTS = Counts(train_ids=2, train=4, test_ids=2, query=2, gallery=5)


def test_published_counts_hold(tmp_path: Path) -> None:
    zipped = to_zip(tmp_path / "set.zip", market())
    splitting.split(zipped, tmp_path / "set.csv", "market1501", published=COUNTS.model_dump())


@pytest.mark.parametrize("name", Counts.model_fields)
def test_each_other_count_is_named_with_what_was_found(name: str, tmp_path: Path) -> None:
    zipped = to_zip(tmp_path / "set.zip", market())
    counts = COUNTS.model_copy(update={name: 1234})
    with pytest.raises(UserError, match=rf"{name}: expected 1,234, found \d") as caught:
        splitting.split(zipped, tmp_path / "set.csv", "market1501", published=counts.model_dump())
    assert "(1):" in str(caught.value)
    assert not (tmp_path / "set.csv").exists()


def test_query_and_gallery_swapped_show_by_the_counts() -> None:
    rows = [Record(str(number), 1, number % 2, "query") for number in range(9)]
    rows += [Record("g", 1, 1, "gallery"), Record("t", 2, 1, "train"), Record("u", 2, 2, "train")]
    problems = Problems()
    counts = Counts(train_ids=1, train=2, test_ids=1, query=1, gallery=9)
    checks.check(Reading(tuple(rows)), counts, problems)
    assert "folders that look swapped" in str(problems)


def test_an_identity_in_train_and_query_alone_leaks_too() -> None:
    rows = [Record("a", 1, 1, "train"), Record("b", 2, 2, "train"), Record("c", 2, 1, "query")]
    rows += [Record("d", 3, 1, "query"), Record("e", 3, 2, "gallery")]
    problems = Problems()
    checks.check(Reading(tuple(rows)), None, problems)
    assert str(problems) == "identities that are in both train and test (1):\n  2"


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    files = market(train=(2, 3)) | {"query/who.jpg": b"", "query/0000_c1_1.jpg": b""}
    with pytest.raises(UserError) as caught:
        splitting.split(to_zip(tmp_path / "a.zip", files), tmp_path / "a.csv", "market1501")
    for words in ("names that are not PID", "which only bounding_box_test", "both train and test"):
        assert words in str(caught.value)


def test_a_missing_or_foreign_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a manifest is missing"):
        records.read(tmp_path / "none.csv")
    path = tmp_path / "a.csv"
    for text in (
        "",
        "a,b\n1,2\n",
        "member,pid,camid,subset,label\nx,1,1,val,0\n",
        "member,pid,camid,subset,label\nx,one,1,train,0\n",
        f"member,pid,camid,subset,label\nx,{10**30},1,train,0\n",
        "member,pid,camid,subset,label\n",
        "member,pid,camid,subset,label\nx,1,1,query,-1\n",
        "member,pid,camid,subset,label\nx,1,1,train,-1\n",
        f"member,pid,camid,subset,label\nx,1,1,train,0\ny,2,1,train,{10**15}\n",
    ):
        path.write_text(text)
        with pytest.raises(UserError, match="not a manifest"):
            records.read(path)


@pytest.mark.parametrize("equal", ["query", "train"])
def test_right_counts_are_right_whatever_else_is_equal(equal: str) -> None:
    """A set of two views has as many queries as gallery images."""
    sizes = {"train": 4, "query": 2, "gallery": 4 if equal == "train" else 2}
    rows = [
        Record(f"{subset}{i}", 10 * (subset == "train") + i // 2, 1 + (i % 2), subset)
        for subset in SUBSETS
        for i in range(sizes[subset])
    ]
    if equal == "query":
        rows = [row._replace(camid=3) if row.subset == "query" else row for row in rows]
    problems = Problems()
    reading = Reading(tuple(rows))
    checks.check(reading, checks.found_counts(reading), problems)
    assert not str(problems)

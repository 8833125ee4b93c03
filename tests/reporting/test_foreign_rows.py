"""Rows of features from elsewhere: where they stand, what they say, what they never touch."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reidpipe.errors import UserError
from reidpipe.formats import queries
from reidpipe.formats.foreign import results
from reidpipe.formats.foreign.results import About
from reidpipe.formats.params import Params, load
from reidpipe.formats.queries import Queries
from reidpipe.reporting.formats import comma_separated, latex, markdown
from reidpipe.reporting.reading.foreign import Foreign, load_foreign
from reidpipe.reporting.reading.results import Scores
from reidpipe.reporting.science.foreign import shown, with_foreign
from reidpipe.reporting.science.paired import Pairs
from reidpipe.reporting.science.tables import Cell, Row, Table

ROOT = Path(__file__).parents[2]
OWN, COUNT = "market1501-ours-pretrained", 40


def scores(shift: float, count: int = COUNT) -> Scores:
    values = np.linspace(0, 0.9, count) + shift
    found = Queries(np.arange(count), values, values, np.ones(count, np.int64))
    metrics = {"rank1": 100.0, "mAP": float(100 * values.mean()), "mAP_low": 1.0, "mAP_high": 99.0}
    return Scores(metrics, found, {}, {}, other_seeds=False)


def judged(dataset: str | None, found: Scores | None, *, current: bool = True) -> Foreign:
    about = About(dataset=dataset, split="0", metric="cosine", rerank={}, files={})
    return Foreign(about, current, found)


@pytest.fixture(scope="module")
def params() -> Params:
    return load(ROOT / "params.yaml")


def table(number: int, dataset: str, baseline: str | None) -> Table:
    cells = {"rank1": Cell(), "mAP": Cell()}
    rows = (Row("Ours", OWN, "rebuilt", cells),)
    return Table(f"table{number}", "t", dataset, tuple(cells), rows, ("n",), "embedded", baseline)


TABLES = (
    table(1, "market1501", "Baseline"),
    table(2, "market1501", "Ours"),
    table(3, "mine", None),
    table(4, "mine", None),
)


def tables(params: Params, foreign: dict[str, Foreign], ours: Scores | None = None) -> list[Table]:
    pairs = Pairs({OWN: ours or scores(0), **shown(foreign)}, params.active.evaluate.bootstrap)
    return with_foreign(TABLES, foreign, params, pairs)


def test_without_results_every_table_is_as_it_was(params: Params) -> None:
    assert tables(params, {}) == [*TABLES]


def test_a_row_has_figures_interval_and_difference_to_ours(params: Params) -> None:
    found = tables(params, {"foreign/a_1": judged("market1501", scores(0.05))})
    assert [t for t in found if t.id != "table2"] == [t for t in TABLES if t.id != "table2"]
    ours, row = found[1].rows
    assert ours == TABLES[1].rows[0]
    assert (row.method, row.run, row.status) == ("foreign: a_1", "foreign/a_1", "not trained here")
    assert str(row.cells["mAP"].rebuilt) == "50.00"
    assert (row.cells["mAP"].published, row.cells["mAP"].difference) == (None, None)
    assert row.versus_baseline
    assert row.versus_baseline.points == pytest.approx(5)
    assert found[1].rebuilt.keys() == {OWN}, "nothing else of the report looks at it"
    text = markdown(found[1])
    assert "| foreign: a_1 |" in text
    assert "50.00 [1.00, 99.00]" in text
    assert "foreign: a_1: cosine distance, re-ranked." in text
    assert "foreign/a_1" in comma_separated(found[1])
    assert "foreign: a\\_1" in latex(found[1])


@pytest.mark.parametrize("count", [COUNT - 1, 0])
def test_there_is_no_difference_where_queries_are_others_or_ours_is_missing(
    params: Params, count: int
) -> None:
    foreign = {"foreign/a": judged("market1501", scores(0.05))}
    if count:
        row = tables(params, foreign, scores(0, count))[1].rows[-1]
    else:
        pairs = Pairs(shown(foreign), params.active.evaluate.bootstrap)
        row = with_foreign(TABLES, foreign, params, pairs)[1].rows[-1]
    assert row.versus_baseline is None
    assert row.cells["mAP"].rebuilt is not None


@pytest.mark.parametrize(
    ("one", "status"),
    [
        (judged("market1501", scores(0.05), current=False), "of another split"),
        (judged("market1501", None), "not evaluated"),
    ],
)
def test_without_figures_a_row_says_why(params: Params, one: Foreign, status: str) -> None:
    found = tables(params, {"foreign/a": one})[1]
    row = found.rows[-1]
    assert (row.status, row.cells["mAP"].rebuilt, row.versus_baseline) == (status, None, None)
    assert ("judged on another split" in markdown(found)) == (not one.current)


def test_other_data_and_labels_of_none_have_their_place(params: Params) -> None:
    foreign = {
        "foreign/a": judged("mine", scores(0.01)),
        "foreign/b": judged("theirs", scores(0.02)),
        "foreign/c": judged(None, scores(0.03)),
        "foreign/d": judged("theirs", scores(0.04)),
    }
    found = tables(params, foreign)
    assert [[row.method for row in one.rows] for one in found[2:]] == [
        ["Ours", "foreign: a"],
        ["Ours"],
        ["foreign: b", "foreign: d"],
        ["foreign: c"],
    ]
    assert [one.number for one in found] == ["1", "2", "3", "4", "5", "6"]
    assert found[4].title == "Foreign features on theirs"
    for form in (markdown, comma_separated, latex):
        assert all(form(one) for one in found)


def written(root: Path, name: str, **about: object) -> Path:
    folder = root / results.FOLDER / name
    known: dict[str, object] = {
        "dataset": "mine",
        "split": "0a",
        "metric": "cosine",
        "rerank": None,
        "files": {},
    }
    results.write_about(folder / "about.json", About.model_validate({**known, **about}))
    (folder / "metrics.json").write_text('{"mAP": 50.0}')
    queries.write(folder / "queries.csv", scores(0.05).queries)
    return folder


def test_results_are_read_with_whether_they_are_of_the_split(tmp_path: Path) -> None:
    written(tmp_path, "b")
    written(tmp_path, "a", split="0b")
    written(tmp_path, "c", dataset=None)
    one_camera = written(tmp_path, "d")
    (one_camera / "metrics.json").write_text('{"num_query": 3}')
    (tmp_path / results.FOLDER / "README.md").touch()
    found = load_foreign(tmp_path, lambda dataset: "0a" if dataset == "mine" else None)
    assert {name: one.current for name, one in found.items()} == {
        "foreign/a": False,
        "foreign/b": True,
        "foreign/c": True,
        "foreign/d": True,
    }
    assert found["foreign/d"].scores is None
    assert shown(found).keys() == {"foreign/b", "foreign/c"}
    assert load_foreign(tmp_path / "elsewhere", lambda _: None) == {}


@pytest.mark.parametrize("file", ["about.json", "metrics.json", "queries.csv"])
def test_a_broken_result_is_named(tmp_path: Path, file: str) -> None:
    (written(tmp_path, "a") / file).write_text("<<<<<<< ours")
    with pytest.raises(UserError, match=file):
        load_foreign(tmp_path, lambda _: None)


def test_pairs_know_whose_queries_are_equal() -> None:
    other = scores(0)
    queries_of = replace(other.queries, query=other.queries.query + 1)
    pairs = Pairs({"a": scores(0), "b": scores(1), "c": replace(other, queries=queries_of)}, {})
    assert pairs.same_queries("a", "b")
    assert not pairs.same_queries("a", "c")
    assert not pairs.same_queries("a", "d")

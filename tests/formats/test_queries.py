"""Scores per query survive their file; what is none is named."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reidpipe.errors import UserError
from reidpipe.formats import queries, seeds
from reidpipe.formats.queries import METRICS, Queries
from reidpipe.formats.seeds import Seeds

FRACTIONS = st.floats(0, 1)
ROWS = st.lists(st.tuples(FRACTIONS, FRACTIONS, st.integers(1, 90_000)), min_size=1, max_size=30)


def made(rows: list[tuple[float, float, int]]) -> Queries:
    ap, inp, first = (np.array(part) for part in zip(*rows, strict=True))
    return Queries(np.arange(0, 2 * len(rows), 2), ap, inp, first)


@given(ROWS)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[float, float, int]]
) -> None:
    path = tmp_path_factory.mktemp("scores") / "run.csv"
    scores = made(rows)
    queries.write(path, scores)
    found = queries.parse(path.read_bytes(), path)
    assert (found.query == scores.query).all()
    assert (found.first_match == scores.first_match).all()
    np.testing.assert_allclose(found.matrix(), scores.matrix(), atol=1e-4)
    queries.write(path.with_name("again.csv"), found)
    assert path.with_name("again.csv").read_bytes() == path.read_bytes()


def test_metrics_are_means_of_the_scores() -> None:
    scores = made([(0.5, 0.25, 1), (1.0, 1.0, 5), (0.0, 0.0, 6)])
    means = dict(zip(METRICS, scores.matrix().mean(0), strict=True))
    assert means == pytest.approx(
        {"rank1": 100 / 3, "rank5": 200 / 3, "rank10": 100, "rank20": 100, "mAP": 50}
        | {"mINP": 125 / 3}
    )


HEAD = "query,ap,inp,first\n"
BROKEN = {
    "empty": "",
    "no rows": HEAD,
    "other columns": "query,ap\n0,0.5\n",
    "a short line": HEAD + "0,0.5,0.5\n",
    "no number": HEAD + "0,high,0.5,1\n",
    "not a number": HEAD + "0,nan,0.5,1\n",
    "percent": HEAD + "0,50,0.5,1\n",
    "rank 0": HEAD + "0,0.5,0.5,0\n",
    "twice": HEAD + "0,0.5,0.5,1\n0,0.5,0.5,1\n",
    "not text": "\udcff",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_are_no_scores_is_named(kind: str) -> None:
    content = BROKEN[kind].encode("utf-8", "surrogateescape")
    with pytest.raises(UserError, match="not a table of scores per query") as caught:
        queries.parse(content, "there.csv")
    assert "there.csv" in str(caught.value)


def test_seeds_survive_their_file(tmp_path: Path) -> None:
    by_seed = {10: made([(0.5, 0.2, 1), (1.0, 0.1, 2)]), 2: made([(0.25, 0.5, 3), (0.0, 0.0, 9)])}
    path = tmp_path / "run.csv"
    seeds.write(path, Seeds("embedded", "abc", by_seed, {10: (80, 98.5, 3.25), 2: (80, 96.0, 2.0)}))
    ends = '"endings": {"2": [80, 96.0, 2.0], "10": [80, 98.5, 3.25]}'
    assert path.read_text().splitlines()[:3] == [
        f'# {{"profile": "embedded", "trained": "abc", {ends}}}',
        "query,ap_2,inp_2,first_2,ap_10,inp_10,first_10",
        "0,0.250000,0.500000,3,0.500000,0.200000,1",
    ]
    found = seeds.read(path)
    assert (found.profile, found.trained, list(found.by_seed)) == ("embedded", "abc", [2, 10])
    np.testing.assert_array_equal(found.by_seed[10].first_match, [1, 2])
    assert found.matrix().shape == (2, 2, len(METRICS))
    assert found.endings == {2: (80, 96.0, 2.0), 10: (80, 98.5, 3.25)}
    assert seeds.is_table(path.read_bytes())


def test_seeds_from_before_there_were_endings_are_read(tmp_path: Path) -> None:
    text = '# {"profile": "a", "trained": "b"}\nquery,ap_0,inp_0,first_0\n0,0.5,0.5,1\n'
    assert seeds.parse(text.encode(), "there.csv").endings == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# {}\nquery,ap_0,inp_0,first_0\n0,0.5,0.5,1\n",
        '# {"profile": "a", "trained": "b"}\nquery,ap_0\n0,0.5\n',
        '# {"profile": "a", "trained": "b"}\nquery,ap_0,inp_0,first_0\n0,2,0.5,1\n',
        "# no JSON\nquery,ap_0,inp_0,first_0\n0,0.5,0.5,1\n",
        '# {"profile": "a", "trained": "b", "endings": [1]}\nquery,ap_0,inp_0,first_0\n0,1,1,1\n',
        '# {"profile": "a", "trained": "b", "endings": {"0": [1]}}\n'
        "query,ap_0,inp_0,first_0\n0,1,1,1\n",
    ],
)
def test_what_is_no_table_of_seeds_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.csv").write_text(text)
    with pytest.raises(UserError, match="not a table of seeds"):
        seeds.read(tmp_path / "run.csv")


def test_seeds_with_other_queries_are_refused(tmp_path: Path) -> None:
    by_seed = {0: made([(0.5, 0.2, 1), (1.0, 0.1, 2)]), 1: made([(0.5, 0.2, 1)])}
    with pytest.raises(ValueError, match="different queries"):
        seeds.write(tmp_path / "run.csv", Seeds("embedded", "abc", by_seed))

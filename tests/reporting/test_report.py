"""The whole stage: what it writes, the same bytes twice, and photographs only where allowed."""

import csv
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from reidpipe.errors import UserError
from reidpipe.files import digest, write_json
from reidpipe.formats import plan, ranking
from reidpipe.formats.params import Check, Params, ProfileParams, Report
from reidpipe.reporting.page import Content, minus, page
from reidpipe.reporting.pictures.data_sets import counts
from reidpipe.reporting.pictures.illustration import Illustrations, illustrate
from reidpipe.reporting.reading.inputs import Inputs
from reidpipe.reporting.reading.provenance import params_hash
from reidpipe.reporting.reading.published import Published
from reidpipe.reporting.report import report
from reidpipe.reporting.science.costs import Cost, Costs
from tests.first_operation import SET, first_operation
from tests.reporting import fake

WRITTEN = ("reports/tables", "reports/model_card.md", "reports/figures", "reports/index.html")
TABLES = [f"table{number}.{end}" for number in range(1, 5) for end in ("csv", "md", "tex")]


def digests(root: Path) -> dict[str, str]:
    files = [path for name in WRITTEN for path in sorted([root / name, *(root / name).rglob("*")])]
    return {str(path.relative_to(root)): digest(path) for path in files if path.is_file()}


def test_report_sets_the_instructions_before_anything_is_computed(
    repository: Path, entry: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with first_operation(monkeypatch) as found:
        report(repository, entry)
    assert found[0] == SET


def test_tables_figures_and_page(reported: Path) -> None:
    names = sorted(path.name for path in (reported / "reports/tables").iterdir())
    extra = ["claims.csv", "claims.md", "complexity.csv", "complexity.md"]
    extra += ["cmc.csv", "history.csv", "training.csv"]
    assert names == sorted(TABLES + extra)
    figures = {path.name for path in (reported / "reports/figures").iterdir()}
    assert {"cmc.svg", "training.svg", "cost.svg", "embedding.svg", "attention.png"} <= figures
    assert {"ranks-market1501-ours.png", "contact-msmt17.png", "conditions.svg"} <= figures


@pytest.mark.slow
def test_the_same_inputs_give_the_same_bytes(
    repository: Path, reported: Path, entry: dict[str, Any], tmp_path: Path
) -> None:
    again = tmp_path / "another folder"
    shutil.copytree(repository, again, symlinks=True)
    report(again, entry)
    assert digests(again) == digests(reported)


def test_foreign_features_are_a_row_of_their_data_set(reported: Path) -> None:
    """As they are the run's own, they differ from Ours as much as the run does."""
    with (reported / "reports/tables/table2.csv").open(newline="") as file:
        rows = {row["run"]: row for row in csv.DictReader(file)}
    theirs, pcb = rows["foreign/theirs"], rows["market1501-pcb"]
    assert (theirs["method"], theirs["status"]) == ("foreign: theirs", "not trained here")
    own = ("method", "run", "status", "trained_to_the_end")
    apart = ("_paper", "_difference")
    for name, value in theirs.items():
        if name not in own and not name.endswith(apart):
            assert value == pcb[name], name
    text = (reported / "reports/index.html").read_text()
    assert len(re.findall(r'class="method" data-value="\d+">foreign: theirs\n', text)) == 1
    for name in ("table1", "table3", "table4", "complexity", "claims"):
        assert "foreign" not in (reported / f"reports/tables/{name}.md").read_text()


def test_complexity_has_every_rebuilt_run(reported: Path) -> None:
    with (reported / "reports/tables/complexity.csv").open() as file:
        lines = {line["run"]: line for line in csv.DictReader(file)}
    assert lines.keys() > {"market1501-baseline", "market1501-ours", "msmt17-ours-pretrained"}
    plain, ours = lines["market1501-baseline"], lines["market1501-ours"]
    assert int(ours["parameters"]) > int(plain["parameters"])
    assert int(ours["profile_multiply_adds"]) > int(plain["profile_multiply_adds"])
    assert lines["market1501-tri"]["multiply_adds"] == plain["multiply_adds"]


class Resources(HTMLParser):
    """Everything that a browser would load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = ("src", "srcset", "data", "action", "poster") + (() if tag == "a" else ("href",))
        self.found += [value or "" for name, value in attrs if name in names]


def test_the_page_is_self_contained(reported: Path) -> None:
    text = (reported / "reports/index.html").read_text()
    assert len(text.encode()) < 8_000_000
    resources = Resources()
    resources.feed(text)
    assert resources.found
    assert all(value.startswith(("data:", "#")) for value in resources.found)
    assert not re.search(r"https?://|@import|url\((?!#)", text)
    assert str(reported) not in text


def without_images(profile: ProfileParams) -> ProfileParams:
    return profile.model_copy(update={"report": Report(images=False)})


@pytest.fixture(scope="module")
def free(inputs: Inputs) -> Costs:
    """Costs that nobody had to count."""
    zero = dict.fromkeys(inputs.runs, Cost(1, 1, 1))
    return Costs(zero, zero)


def test_no_photograph_where_they_are_not_allowed(
    inputs: Inputs, printed: Published, free: Costs, tmp_path: Path
) -> None:
    for name in ("reports", "runs", "data"):
        (tmp_path / name).symlink_to(inputs.root / name)
    (tmp_path / "reports").unlink()
    shutil.copytree(inputs.root / "reports/data", tmp_path / "reports/data")
    params = inputs.params.model_copy(update={"embedded": without_images(inputs.params.active)})
    made = replace(inputs.experiment, params=params)
    private = replace(inputs, root=tmp_path, experiment=made)
    (tmp_path / "reports/figures").mkdir()
    (tmp_path / "reports/figures/ranks-market1501-ours.png").write_bytes(b"of an earlier report")
    pictures = illustrate(private, free)
    text = page(Content(params, printed, inputs.tables, [], free, pictures, {}))
    assert "data:image" not in text
    assert "Photographs are left out" in text
    assert 'class="tile correct"' in text
    figures = {path.suffix for path in (tmp_path / "reports/figures").iterdir()}
    assert figures == {".svg"}


def test_text_is_escaped(inputs: Inputs, printed: Published, free: Costs) -> None:
    table = replace(inputs.tables[0], title="<script>alert(1)</script>", rows=())
    nothing = Illustrations([], [], [], [], [], [], [])
    content = Content(inputs.params, printed, [table], [], free, nothing, {"<b>": "<i>"})
    text = page(content)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "&lt;b&gt;" in text


@pytest.mark.parametrize(
    ("plain", "printed"),
    [
        ("-0.42", "\u22120.42"),
        (
            "Rank-5 of Market-1501 -0.03 [-0.10, +0.04]",
            "Rank-5 of Market-1501 \u22120.03 [\u22120.10, +0.04]",
        ),
        ("79.70 - 65.05", "79.70 - 65.05"),
        ("-", "-"),
    ],
)
def test_a_minus_is_a_sign_not_a_hyphen(plain: str, printed: str) -> None:
    assert minus(plain) == printed


def test_the_page_marks_signs_and_copies_plain_text(reported: Path) -> None:
    text = (reported / "reports/index.html").read_text()
    cells = re.findall(r'<td data-value="(-[^"]*)">([^<]*)</td>', text)
    assert cells
    assert all(shown == minus(value) != value for value, shown in cells)
    assert "\u2212" not in "".join(re.findall(r'data-copy="([^"]*)"', text))


def test_the_params_hash_follows_values_of_the_active_profile(params: Params) -> None:
    active = params.model_copy(update={"embedded": without_images(params.active)})
    strict = params.model_copy(update={"check": Check(tolerance={"mAP": 0})})
    assert params_hash(strict) == params_hash(params)
    assert params_hash(active) != params_hash(params)
    assert params_hash(params.model_copy(update={"seed": 1})) != params_hash(params)


def test_the_curves_of_table_1_are_one_table_each(reported: Path, inputs: Inputs) -> None:
    """What `dvc plots show` draws; the order of the runs is that of the table."""
    for name, source in (("cmc", "reports/cmc/{}.csv"), ("history", "runs/{}/history.csv")):
        with (reported / f"reports/tables/{name}.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert list(dict.fromkeys(row["run"] for row in rows)) == list(inputs.tables[0].rebuilt)
        with (reported / source.format("market1501-se")).open() as file:
            expected = list(csv.DictReader(file))
        own = [row for row in rows if row.pop("run") == "market1501-se"]
        assert own == [{key: row[key] for key in own[0]} for row in expected]


def test_missing_counts_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        counts(tmp_path / "gone")
    assert "gone" in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("run", ["market1501-se", "msmt17-ours-pretrained", "market1501-ours"])
def test_a_run_that_is_not_evaluated_stops_nothing(tmp_path: Path, run: str) -> None:
    """A data set of one camera has no metrics."""
    fake.build(tmp_path)
    write_json(tmp_path / f"reports/metrics/{run}.json", {"num_query": 3, "num_skipped": 3})
    (tmp_path / f"reports/cmc/{run}.csv").write_text("rank,cmc\n")
    ranking.write(tmp_path / f"runs/{run}/ranking.npz", ranking.empty(3, fake.TOP))
    tables = report(tmp_path, plan.entry("report", path=tmp_path / plan.PLAN_FILE))
    (row,) = [row for table in tables for row in table.rows if row.run == run]
    assert row.status == "not evaluated"
    assert "not evaluated" in (tmp_path / "reports/index.html").read_text()

"""Tables 1-4: rows, numbers, warnings, and the three formats."""

import csv
import io
import shutil
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from statistics import fmean, stdev

import pytest

from reidpipe.formats.params import Params, load
from reidpipe.formats.seeds import Seeds, write
from reidpipe.reporting.formats import comma_separated, latex, markdown
from reidpipe.reporting.reading.inputs import Inputs
from reidpipe.reporting.reading.published import Published
from reidpipe.reporting.reading.results import load_results
from reidpipe.reporting.science.paired import Pairs
from reidpipe.reporting.science.tables import Table, build_tables


def rebuilt(inputs: Inputs, printed: Published, pairs: Pairs, without: str) -> list[Table]:
    """The tables when the runs of one data set are gone."""
    runs = {name: run for name, run in inputs.runs.items() if run.dataset != without}
    results = {name: inputs.results[name] for name in runs}
    return build_tables(printed, runs, results, inputs.params, pairs)


def test_rows_are_the_papers_in_its_order(inputs: Inputs, printed: Published) -> None:
    for table, source in zip(inputs.tables, printed.tables, strict=True):
        extra = ["msmt17-circle-r50"] if source.id == "table4" else []
        names = [row.trained_as if row.run else row.method for row in source.rows]
        assert [row.method for row in table.rows] == names + extra
        trained = [row.trained_as for row in source.rows if row.run]
        assert [row.method for row in table.rows if row.status == "rebuilt"] == trained


def test_difference_is_of_the_shown_figures(inputs: Inputs) -> None:
    cell = inputs.tables[0].rebuilt["market1501-ours"].cells["mAP"]
    exact = Decimal(str(inputs.results["market1501-ours"].metrics["mAP"]))
    assert cell.rebuilt == round(exact, 2)
    assert cell.difference == round(exact, 2) - Decimal("79.70")


def test_the_baseline_is_compared_with_every_row_but_itself(inputs: Inputs, pairs: Pairs) -> None:
    rows = inputs.tables[0].rebuilt
    assert rows["market1501-baseline"].versus_baseline is None
    found = rows["market1501-eca"].versus_baseline
    assert found == pairs.difference("market1501-eca", "market1501-baseline", "mAP")
    others = {row.method: row.versus_baseline for row in inputs.tables[1].rows}
    pcb = pairs.difference("market1501-pcb", "market1501-ours-pretrained", "mAP")
    assert others["PCB"] == pcb
    assert others["Ours"] is None
    assert others["GP-reid"] is None, "is only cited"


def test_what_is_not_the_published_form_is_said_below_the_table(inputs: Inputs) -> None:
    assert inputs.tables[0].forms == (), "all rows are Ours"
    own, *notes = inputs.tables[1].forms
    assert "of their own" in own
    assert [note.partition(":")[0] for note in notes] == [
        row.method
        for row in inputs.tables[1].rows
        if row.status == "rebuilt" and row.method not in {"Ours", "PCB"}
    ]
    assert all(note in markdown(inputs.tables[1]) for note in notes)


def test_best_needs_two(inputs: Inputs) -> None:
    assert inputs.tables[0].best("rank5", "published") == Decimal("97.24")
    assert inputs.tables[1].best("rank1", "published") == Decimal("94.8")
    kept = tuple(row for row in inputs.tables[1].rows if row.method in {"Ours", "GP-reid"})
    assert replace(inputs.tables[1], rows=kept).best("rank1", "rebuilt") is None


def test_cited_rows_say_so(inputs: Inputs) -> None:
    line = next(x for x in markdown(inputs.tables[1]).splitlines() if x.startswith("| GP-reid"))
    assert [cell.strip() for cell in line.strip("|").split("|")] == [
        *("GP-reid", "92.2", "-", "-", "81.2", "-", "-", "-", "cited")
    ]


def test_runs_on_other_data_have_a_table_of_their_own(
    inputs: Inputs, printed: Published, pairs: Pairs
) -> None:
    own = replace(inputs.runs["market1501-baseline"], dataset="mine")
    runs = {**inputs.runs, "mine-baseline": own}
    results = {**inputs.results, "mine-baseline": inputs.results["market1501-baseline"]}
    tables = build_tables(printed, runs, results, inputs.params, pairs)
    assert tables[:4] == inputs.tables
    (table,) = tables[4:]
    assert (table.number, table.title) == ("5", "Runs on mine, without pre-training")
    (row,) = table.rows
    assert (row.method, row.status) == ("mine-baseline", "not in the paper")
    assert row.cells["mAP"].rebuilt == tables[0].rebuilt["market1501-baseline"].cells["mAP"].rebuilt
    for text in (markdown(table), comma_separated(table), latex(table)):
        assert "mine-baseline" in text


def test_a_run_without_a_result_is_not_evaluated(
    inputs: Inputs, printed: Published, pairs: Pairs
) -> None:
    own = replace(inputs.runs["market1501-baseline"], dataset="mine")
    runs = {**inputs.runs, "mine-baseline": own}
    *_, table = build_tables(printed, runs, inputs.results, inputs.params, pairs)
    (row,) = table.rows
    assert (row.status, row.cells["mAP"].rebuilt) == ("not evaluated", None)
    assert table.rebuilt == {}
    assert all("left out" not in note.lower() for note in table.notes)
    for text in (markdown(table), comma_separated(table), latex(table)):
        assert "mine-baseline" in text


def test_a_left_out_data_set_is_named(inputs: Inputs, printed: Published, pairs: Pairs) -> None:
    tables = rebuilt(inputs, printed, pairs, without="dukemtmc")
    text = markdown(tables[2])
    assert "DukeMTMC-reID was left out" in text
    assert "dukemtmc-ours-pretrained" in text
    ours = tables[2].rows[-1]
    assert (ours.status, ours.cells["mAP"].rebuilt) == ("left out", None)
    assert "left out" not in markdown(tables[1])


def test_a_run_that_the_paper_lacks_is_appended(
    inputs: Inputs, printed: Published, pairs: Pairs
) -> None:
    runs = {**inputs.runs, "market1501-sixth": inputs.runs["market1501-se"]}
    results = {**inputs.results, "market1501-sixth": inputs.results["market1501-se"]}
    known = Pairs(results, inputs.params.active.evaluate.bootstrap)
    table = build_tables(printed, runs, results, inputs.params, known)[0]
    last = table.rows[-1]
    assert (last.method, last.status) == ("market1501-sixth", "not in the paper")
    assert last.cells["mAP"].published is None
    assert last.cells["mAP"].difference is None
    assert "market1501-sixth" in latex(table)


def test_embedded_is_loud_and_paper_is_not(
    inputs: Inputs, printed: Published, pairs: Pairs
) -> None:
    for form in (markdown, latex):
        assert all("NOT comparable" in form(table) for table in inputs.tables)
    real: Params = inputs.params.model_copy(
        update={"profile": "paper", "paper": load(profile="paper").active}
    )
    tables = build_tables(printed, inputs.runs, inputs.results, real, pairs)
    assert all("NOT comparable" not in markdown(table) for table in tables)
    assert "Profile paper: resnet50, 256x128 pixels" in markdown(tables[0])


def test_csv_reads_back(inputs: Inputs) -> None:
    table = inputs.tables[0]
    lines = list(csv.DictReader(io.StringIO(comma_separated(table))))
    assert [line["method"] for line in lines] == [row.method for row in table.rows]
    assert {line["profile"] for line in lines} == {"embedded"}
    ours = lines[-1]
    assert ours["rank1_paper"] == "92.4"
    total = Decimal(ours["mAP_paper"]) + Decimal(ours["mAP_difference"])
    assert total == Decimal(ours["mAP_rebuilt"])
    assert Decimal(ours["mAP_low"]) == Decimal(ours["mAP_rebuilt"]) - 2
    assert Decimal(ours["mAP_high"]) == Decimal(ours["mAP_rebuilt"]) + 3
    assert lines[0]["mAP_vs_baseline"] == ""


@pytest.mark.parametrize("number", range(4))
def test_latex_has_as_many_cells_as_columns(inputs: Inputs, number: int) -> None:
    text = latex(inputs.tables[number])
    columns = text.split("\\begin{tabular}{")[1].split("}")[0]
    body = text.split("\\midrule\n")[1].split("\\bottomrule")[0].splitlines()
    assert len(body) == len(inputs.tables[number].rows)
    assert {line.count("&") + 1 for line in body} == {len(columns)}
    assert text.count("\\cmidrule") == len(inputs.tables[number].columns)


def test_markdown_columns_line_up(inputs: Inputs) -> None:
    for table in inputs.tables:
        lines = [line for line in markdown(table).splitlines() if line.startswith("|")]
        assert len({len(line) for line in lines}) == 1
        assert len({line.count("|") for line in lines}) == 1


RUN, OTHER = "market1501-ours", "market1501-baseline"
END = (80, 99.0, 1.0)


def seeded(inputs: Inputs, root: Path, run: str, *seeds: int) -> list[float]:
    """A copy of the repository with a table of seeds; the mAP of each."""
    if not root.exists():
        shutil.copytree(inputs.root, root, symlinks=True)
    own = inputs.results[run].queries
    scores = [replace(own, average_precision=own.average_precision / (1 + s)) for s in seeds]
    table = dict(zip(seeds, scores, strict=True))
    write(
        root / f"reports/seeds/{run}.csv",
        Seeds("embedded", "hash", table, dict.fromkeys(seeds, END)),
    )
    return [float(100 * one.average_precision.mean()) for one in scores]


def test_over_seeds_a_cell_is_mean_deviation_and_number(
    inputs: Inputs, printed: Published, tmp_path: Path
) -> None:
    root = tmp_path / "copy"
    values = seeded(inputs, root, RUN, 0, 1, 5)
    results = load_results(inputs.runs, root, 0)
    pairs = Pairs(results, inputs.params.active.evaluate.bootstrap)
    table = build_tables(printed, inputs.runs, results, inputs.params, pairs)[0]
    cell = table.rebuilt[RUN].cells["mAP"]
    assert float(cell.rebuilt or 0) == pytest.approx(fmean(values), abs=0.006)
    assert float(cell.std or 0) == pytest.approx(stdev(values), abs=0.006)
    assert cell.seeds == 3
    # So few and so unlike, they say nothing: but no figure is above 100 or below 0.
    assert cell.low == 0
    assert f"{cell.rebuilt} ± {cell.std}, n = 3" in markdown(table)
    assert f"$\\pm$ {cell.std}, n = 3" in latex(table)
    # The other has one training: so has their difference.
    assert pairs.seeds(RUN, OTHER) == []
    assert table.rebuilt[OTHER].cells == inputs.tables[0].rebuilt[OTHER].cells
    difference = pairs.difference(RUN, OTHER, "mAP")
    assert difference.b == pytest.approx(values[0])
    assert difference.seeds == 1


def test_a_difference_stands_on_the_seeds_that_both_have(inputs: Inputs, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    bootstrap = inputs.params.active.evaluate.bootstrap
    seeded(inputs, root, RUN, 0, 1, 2, 3)
    seeded(inputs, root, OTHER, 0, 2, 3, 9)
    known = Pairs(load_results(inputs.runs, root, 0), bootstrap)
    assert known.seeds(RUN, OTHER) == [0, 2, 3]
    assert known.difference(RUN, OTHER, "mAP").seeds == 3
    seeded(inputs, root, OTHER, 0, 7, 8, 9)
    few = Pairs(load_results(inputs.runs, root, 0), bootstrap)
    assert few.seeds(RUN, OTHER) == []
    assert few.difference(RUN, OTHER, "mAP").seeds == 1


@pytest.mark.parametrize(
    ("seeds", "seed"), [((0, 1, 2), 7), ((1, 2, 3), 0), ((0, 1), 0), ((2, 0, 1), 1)]
)
def test_seeds_of_another_training_are_left_out_and_named(
    inputs: Inputs, printed: Published, tmp_path: Path, seeds: tuple[int, ...], seed: int
) -> None:
    """The table must have this seed, with the scores that this workspace has, and two others."""
    root = tmp_path / "copy"
    seeded(inputs, root, RUN, *seeds)
    results = load_results(inputs.runs, root, seed)
    assert results[RUN].by_seed == {}
    pairs = Pairs(results, inputs.params.active.evaluate.bootstrap)
    tables = build_tables(printed, inputs.runs, results, inputs.params, pairs)
    assert f"reidpipe seeds --train 0-4 {RUN} makes them anew" in markdown(tables[0])
    assert "makes them anew" not in markdown(tables[1])

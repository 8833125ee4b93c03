"""The report takes up what `reidpipe seeds` wrote, and says when it belongs to other results."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from reidpipe.commands.seeds.spread import Spread, write
from reidpipe.errors import UserError
from reidpipe.reporting.reading.inputs import Inputs
from reidpipe.reporting.report import report
from reidpipe.reporting.science.seeds import OUTDATED, seed_tables

RUN = "market1501-ours"


def written(folder: Path, *values: float) -> None:
    write([Spread("mAP", RUN, "attention=cbam", dict(enumerate(values)))], folder)


def test_none_where_there_is_none(inputs: Inputs, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("of no interest")
    # What each query scored with each seed is for `reidpipe check`.
    (tmp_path / f"{RUN}.csv").write_text("# {}\nquery\n0\n")
    assert seed_tables(tmp_path, inputs.results, 0) == []


def test_a_table_is_current_while_it_holds_the_figures_of_this_seed(
    inputs: Inputs, tmp_path: Path
) -> None:
    figure = inputs.results[RUN].metrics["mAP"]
    written(tmp_path, figure, 50.0)
    (table,) = seed_tables(tmp_path, inputs.results, 0)
    assert table.current
    assert table.lines[0].values == {0: figure, 1: 50.0}
    (other_seed,) = seed_tables(tmp_path, inputs.results, 1)
    assert not other_seed.current
    written(tmp_path, figure + 0.01, 50.0)
    (other_result,) = seed_tables(tmp_path, inputs.results, 0)
    assert not other_result.current


@pytest.mark.parametrize(
    "text", ["a,b\n1,2\n", "run,setting,seeds,values,mean,std\na,,0 1,5,5,0\n"]
)
def test_another_file_is_refused(inputs: Inputs, tmp_path: Path, text: str) -> None:
    (tmp_path / "mAP.csv").write_text(text)
    with pytest.raises(UserError, match="not a table that reidpipe seeds wrote"):
        seed_tables(tmp_path, inputs.results, 0)


@pytest.mark.slow
def test_the_report_has_the_table(repository: Path, entry: dict[str, Any], tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(repository, root, symlinks=True)
    written(root / "reports/seeds", 12.0, 14.0)
    report(root, entry)
    markdown = (root / "reports/tables/seeds-mAP.md").read_text()
    assert "13.00" in markdown
    assert "1.41" in markdown
    assert OUTDATED in markdown
    page = (root / "reports/index.html").read_text()
    assert 'href="#seeds"' in page
    assert "attention=cbam" in page

"""`dvc plots show` with our template and page: Table 1's runs in one picture, nothing unfilled."""

import csv
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
PLOTS = {name: plot for entry in PIPELINE["plots"] for name, plot in entry.items()}


def table1() -> set[str]:
    published = yaml.safe_load((ROOT / "reports/published.yaml").read_text(encoding="utf-8"))
    return {row["run"] for row in published["tables"][0]["rows"]}


@pytest.mark.parametrize("name", PLOTS)
def test_a_line_for_each_run_of_table_1(name: str) -> None:
    ((file, column),) = PLOTS[name]["y"].items()
    with (ROOT / file).open(newline="", encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    assert {row["run"] for row in rows} == table1()
    assert all(row[column] and row[PLOTS[name]["x"]] for row in rows)


def test_the_curves_in_git_are_drawn(tmp_path: Path) -> None:
    command = ["dvc", "plots", "show", "table1-cmc", "-o", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "<h1>Curves of the runs</h1>" in page
    assert "isValid(datum.run)" in page
    assert "<DVC_METRIC_" not in page
    for run in table1():
        assert f'"run": "{run}"' in page

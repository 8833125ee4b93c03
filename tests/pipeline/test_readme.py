"""What the README shows is what the pipeline wrote."""

from collections.abc import Hashable, Mapping
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
CONTENT = pd.read_csv(ROOT / "reports/tables/table1.csv", dtype=str, keep_default_na=False)
TABLE = {row["method"]: row for row in CONTENT.to_dict("records")}


@pytest.mark.parametrize("method", TABLE)
def test_table_1_has_the_numbers_of_the_report(method: str) -> None:
    row = TABLE[method]
    versus = with_interval(row, "mAP_vs_baseline", "mAP_vs_baseline")
    cells = [
        method,
        row["rank1_paper"],
        row["rank1_rebuilt"],
        row["mAP_paper"],
        with_interval(row, "mAP_rebuilt", "mAP"),
        versus if row["mAP_vs_baseline"] else "",
    ]
    shown = [[cell.strip() for cell in line.split("|")[1:-1]] for line in README.splitlines()]
    assert cells in shown


def with_interval(row: Mapping[Hashable, str], value: str, name: str) -> str:
    return f"{row[value]} [{row[f'{name}_low']}, {row[f'{name}_high']}]"

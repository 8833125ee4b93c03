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
    versus = [row[f"mAP_vs_baseline{end}"] for end in ("", "_low", "_high")]
    cells = [
        method,
        row["rank1_paper"],
        over_seeds(row, "rank1"),
        row["mAP_paper"],
        over_seeds(row, "mAP"),
        "{} [{}, {}]".format(*versus) if versus[0] else "",
    ]
    shown = [[cell.strip() for cell in line.split("|")[1:-1]] for line in README.splitlines()]
    assert cells in shown


def over_seeds(row: Mapping[Hashable, str], name: str) -> str:
    assert row[f"{name}_seeds"] == "5"
    return f"{row[f'{name}_rebuilt']} ± {row[f'{name}_std']}"

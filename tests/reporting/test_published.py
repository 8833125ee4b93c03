"""reports/published.yaml against a second transcription of the paper, and its errors."""

from decimal import Decimal
from pathlib import Path

import pytest

from reidpipe.errors import UserError
from reidpipe.reporting.reading.published import Published, load

# Method, then the columns of the table, as the paper prints them.
TABLE_1 = """
Baseline 83.67 93.62 95.78 65.05
Baseline(+Tri) 84.00 94.60 96.53 66.28
Baseline(+SE) 88.06 95.93 97.80 73.43
Baseline(+DANet) 89.52 96.85 97.89 73.43
Baseline(+Non-local) 91.69 96.82 97.92 79.38
Baseline(+ECA) 91.92 96.38 97.98 78.31
Baseline(+Tri_Cir) 91.69 97.24 98.28 78.26
Ours 92.4 96.82 98.16 79.70
"""
TABLE_2 = """
SVDNet 82.3 62.1
AACN 85.9 66.9
HAC 89.0 71.25
DPFL 88.6 72.6
DaRe 89.0 76.0
GP-reid 92.2 81.2
PCB 92.3 77.4
Alignedreid 92.6 82.3
PCB+RPP 93.8 81.6
IANet 94.4 83.1
OSNet 94.8 84.9
Ours 94.45 85.78
"""
TABLE_3 = """
SVDNet 76.7 56.8
AACN 76.8 58.3
HAC 78.5 60.3
DPFL 79.2 60.0
DaRe 80.2 64.5
GP-reid 85.2 72.8
PCB 81.9 65.3
PCB+RPP 83.3 69.2
IANet 87.1 73.4
OSNet 88.6 73.5
Ours 88.6 76.9
"""
TABLE_4 = """
PCB 68.2 40.4
IANet 75.5 45.8
Auto-ReID 78.2 52.5
OSNet 78.7 52.9
Circle_Loss 76.9 52.1
Ours 79.44 53.57
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [("table1", TABLE_1), ("table2", TABLE_2), ("table3", TABLE_3), ("table4", TABLE_4)],
)
def test_digits_and_order_are_the_papers(printed: Published, name: str, text: str) -> None:
    table = printed.table(name)
    written = [
        " ".join([row.method.replace(" ", "_"), *(str(row.values[c]) for c in table.columns)])
        for row in table.rows
    ]
    assert written == text.split("\n")[1:-1]


def test_trailing_zeros_are_kept(printed: Published) -> None:
    tri = printed.table("table1").row("Baseline(+Tri)")
    assert str(tri.values["rank1"]) == "84.00"
    assert tri.values["rank1"] == Decimal(84)


def test_claims_are_c1_to_c6(printed: Published) -> None:
    assert [claim.id for claim in printed.claims] == ["C1", "C2", "C3", "C4", "C5", "C6"]


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("rank1: 83.67, ", "", "Baseline: columns"),
        ("higher: Ours, lower: [Baseline]", "higher: Ours, lower: [Basline]", "no row 'Basline'"),
        ("mAP: 65.05", "mAP: high", "decimal"),
        ("tables:", "tables: [", "expected"),
    ],
)
def test_a_wrong_file_is_explained(
    repository: Path, tmp_path: Path, old: str, new: str, found: str
) -> None:
    text = (repository / "reports/published.yaml").read_text()
    assert old in text
    path = tmp_path / "published.yaml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(UserError) as error:
        load(path)
    assert found in str(error.value)


def test_a_missing_file_is_explained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="missing"):
        load(tmp_path / "published.yaml")

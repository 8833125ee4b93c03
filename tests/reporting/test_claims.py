"""The ledger: what the paper's own numbers say, and how rebuilt ones are judged."""

import csv
import io
from dataclasses import replace
from decimal import Decimal

import pytest

from reidpipe.metrics.bootstrap import Difference
from reidpipe.reporting.formats import comma_separated, latex, markdown
from reidpipe.reporting.ledger import claims_markdown
from reidpipe.reporting.reading.inputs import Inputs
from reidpipe.reporting.reading.published import Published
from reidpipe.reporting.science.claims import (
    SHOWN,
    Check,
    Verdict,
    check_claims,
    decided,
    failures,
    published_detail,
    rebuilt_detail,
    worst,
)
from reidpipe.reporting.science.ending import Ending
from reidpipe.reporting.science.paired import Pairs
from reidpipe.reporting.science.tables import build_tables


@pytest.fixture(scope="module")
def checks(inputs: Inputs, printed: Published, pairs: Pairs) -> dict[str, Check]:
    return {c.claim.id: c for c in check_claims(printed, inputs.tables, pairs)}


def test_verdicts_on_the_papers_numbers(checks: dict[str, Check]) -> None:
    assert {name: check.published for name, check in checks.items()} == {
        "C1": "holds",
        "C2": "does not hold",
        "C3": "does not hold",
        "C4": "holds",
        "C5": "does not hold",
        "C6": "holds",
    }


def test_the_erratum_of_c2(checks: dict[str, Check]) -> None:
    (part,) = checks["C2"].comparisons
    assert part.published == Decimal("14.65")
    assert published_detail(checks["C2"]) == "+14.65 in mAP; the text says +14.45"


def test_where_c3_and_c5_fail(checks: dict[str, Check]) -> None:
    def failed(name: str) -> set[tuple[str, str, str, str]]:
        return {
            (part.table, part.column, part.lower, str(part.published))
            for part in checks[name].comparisons
            if part.published_verdict != "holds"
        }

    assert failed("C3") == {
        ("table1", "rank5", "Baseline(+DANet)", "-0.03"),
        ("table1", "rank5", "Baseline(+Non-local)", "0.00"),
        ("table1", "rank5", "Baseline(+Tri Cir)", "-0.42"),
        ("table1", "rank10", "Baseline(+Tri Cir)", "-0.12"),
    }
    assert failed("C5") == {
        ("table2", "rank1", "OSNet", "-0.35"),
        ("table3", "rank1", "OSNet", "0.0"),
    }


@pytest.mark.parametrize(
    ("difference", "verdict"),
    [
        (Difference(10, 12, 1, 3), "holds"),
        (Difference(10, 8, -3, -1), "does not hold"),
        (Difference(10, 12, -1, 5), "undecided"),
        (Difference(10, 10, 0, 0), "undecided"),
    ],
)
def test_the_interval_decides(difference: Difference, verdict: Verdict) -> None:
    assert decided(difference) == verdict


def test_no_verdict_on_half_trained_runs(
    inputs: Inputs, printed: Published, pairs: Pairs, checks: dict[str, Check]
) -> None:
    """Its end may reverse it: whether it would hold or not, the ledger does not say."""
    early = {
        name: replace(result, endings={0: Ending(80, 99.0, 1.0), 3: Ending(8, 71.0, 30.0)})
        if name == "market1501-ours"
        else result
        for name, result in inputs.results.items()
    }
    tables = build_tables(printed, inputs.runs, early, inputs.params, pairs)
    found = {check.claim.id: check for check in check_claims(printed, tables, pairs)}
    assert [found[name].rebuilt for name in ("C1", "C2", "C3")] == ["not trained to the end"] * 3
    assert found["C1"].published == "holds"
    assert found["C4"] == checks["C4"]
    text = markdown(tables[0])
    assert "rebuilt, not trained to the end" in text
    # One seed is enough: the verdict stands on all of them.
    assert "ours with seed 3 (training accuracy 71.0%, last fall 30.0%)" in text
    assert "with seed 0" not in text
    assert "Ours (not trained to the end)" in latex(tables[0])
    assert "not trained to the end" not in markdown(tables[1])
    rows = list(csv.DictReader(io.StringIO(comma_separated(tables[0]))))
    assert {row["run"] for row in rows if row["trained_to_the_end"] == "false"} == {
        "market1501-ours"
    }


def test_the_worst_comparisons_are_written_out_and_the_others_folded(
    inputs: Inputs, printed: Published, pairs: Pairs
) -> None:
    swapped = {**inputs.results, "market1501-ours": inputs.results["market1501-baseline"]}
    known = Pairs(swapped, inputs.params.active.evaluate.bootstrap)
    tables = build_tables(printed, inputs.runs, swapped, inputs.params, known)
    check = check_claims(printed, tables, known)[2]
    shown, rest = failures(check)
    found = [part for part in check.comparisons if part.rebuilt_verdict == "does not hold"]
    assert len(shown) == SHOWN
    assert len(rest) == len(found) - SHOWN > 0
    worst_of_all = min(part.rebuilt.points for part in found if part.rebuilt)
    assert f"{worst_of_all:+.2f}" in shown[0]
    assert all(line in rebuilt_detail(check) for line in shown)
    assert not any(line in rebuilt_detail(check) for line in rest)
    assert f"{len(rest)} more are in claims.csv" in claims_markdown([check], printed, "")


def test_a_claim_is_as_good_as_its_worst_comparison() -> None:
    assert worst(["holds", "undecided"]) == "undecided"
    assert worst(["undecided", "does not hold", "holds"]) == "does not hold"
    assert worst(["holds", "left out"]) == "left out"
    assert worst(["holds"]) == "holds"


def test_rebuilt_verdicts_follow_the_runs(checks: dict[str, Check], pairs: Pairs) -> None:
    """The fake runs get better from row to row, Ours is the best of them."""
    assert checks["C1"].rebuilt == checks["C2"].rebuilt == "holds"
    found = pairs.difference("market1501-ours", "market1501-baseline", "rank1")
    assert f"{found.points:+.2f}" in rebuilt_detail(checks["C1"])


def without_ianet(printed: Published) -> Published:
    """Its rows are only cited."""
    tables = [
        table.model_copy(
            update={
                "rows": tuple(
                    row.model_copy(update={"run": None}) if row.method == "IANet" else row
                    for row in table.rows
                )
            }
        )
        for table in printed.tables
    ]
    return printed.model_copy(update={"tables": tuple(tables)})


def test_cited_methods_are_comparable_on_real_data_alone(
    checks: dict[str, Check], inputs: Inputs, printed: Published, pairs: Pairs
) -> None:
    """IANet, as if nobody had trained it."""
    by_lower = {part.lower: part.rebuilt_verdict for part in checks["C5"].comparisons}
    judged = ("holds", "does not hold", "undecided")
    assert by_lower["OSNet"] in judged
    assert by_lower["IANet"] in judged
    printed = without_ianet(printed)
    tables = build_tables(printed, inputs.runs, inputs.results, inputs.params, pairs)
    (found,) = [check for check in check_claims(printed, tables, pairs) if check.claim.id == "C5"]
    by_lower = {part.lower: part.rebuilt_verdict for part in found.comparisons}
    assert by_lower["IANet"] == "not comparable"
    assert by_lower["OSNet"] in judged
    real = inputs.params.model_copy(update={"profile": "paper", "paper": inputs.params.active})
    tables = build_tables(printed, inputs.runs, inputs.results, real, pairs)
    check = check_claims(printed, tables, pairs)[4]
    against = {(p.table, p.column, p.lower): p.rebuilt for p in check.comparisons}
    rebuilt = inputs.results["msmt17-ours-pretrained"].metrics["mAP"]
    difference = against["table4", "mAP", "IANet"]
    assert difference is not None
    assert difference.points == pytest.approx(rebuilt - 45.8, abs=0.005)
    assert check.rebuilt in ("holds", "does not hold", "undecided")


def test_a_left_out_run_is_no_failure(inputs: Inputs, printed: Published, pairs: Pairs) -> None:
    runs = {name: run for name, run in inputs.runs.items() if name != "market1501-ours"}
    results = {name: inputs.results[name] for name in runs}
    tables = build_tables(printed, runs, results, inputs.params, pairs)
    checks = check_claims(printed, tables, pairs)
    assert [check.rebuilt for check in checks[:3]] == ["left out"] * 3


def test_the_ledger_names_every_claim(checks: dict[str, Check], printed: Published) -> None:
    text = claims_markdown(list(checks.values()), printed, "")
    for check in checks.values():
        assert check.claim.text in text
    assert "An erratum of the text." in text
    assert all(remark in text for remark in printed.remarks)


def test_a_row_that_began_otherwise_is_compared_as_if_it_were_cited(
    inputs: Inputs, printed: Published, pairs: Pairs
) -> None:
    """OSNet from random weights against Ours from ImageNet's: what is printed of OSNet counts."""
    runs = {
        name: replace(run, pretrained=False) if name.endswith("osnet") else run
        for name, run in inputs.runs.items()
    }
    verdicts = {}
    for profile in ("embedded", "paper"):
        params = inputs.params.model_copy(
            update={"profile": profile, "paper": inputs.params.active}
        )
        tables = build_tables(printed, runs, inputs.results, params, pairs)
        for part in check_claims(printed, tables, pairs)[4].comparisons:
            if (part.table, part.column, part.lower) == ("table2", "mAP", "OSNet"):
                verdicts[profile] = part
        assert not any(row.run == "market1501-osnet" for row in tables[0].rows)
    assert verdicts["embedded"].rebuilt_verdict == "not comparable"
    found = verdicts["paper"].rebuilt
    assert found is not None
    rebuilt = inputs.results["market1501-ours-pretrained"].metrics["mAP"]
    assert found.points == pytest.approx(rebuilt - 84.9, abs=0.005)

"""Experiments that differ in their seed alone, and those that only seem to."""

import csv
from pathlib import Path
from typing import Any

import pytest

from reidpipe.commands.seeds.experiments import finished
from reidpipe.commands.seeds.spread import Spread, spreads, write
from reidpipe.errors import UserError

Entry = dict[str, Any]


def entry(
    name: str,
    seed: int,
    value: Any,
    *,
    attention: str = "cbam",
    code: str = "aa",
    run: str = "ours",
    unused: float = 1.0,
) -> Entry:
    """One experiment as `dvc exp show --json` has it."""
    options = {"reduction": 16} if attention == "cbam" else {}
    network = {"attention": attention, "options": {attention: options}}
    train = {"network": network, "recipe": {"lr": 0.1}, "seed": seed, "code": code + attention}
    plan = {
        "train": {run: train},
        "extract": {run: {"params": {"flip": False}, "code": attention}},
        "evaluate": {run: {"params": {"metric": "cosine"}, "code": "e"}},
        "report": {"params": {"unused": unused}, "code": str(unused)},
    }
    data = {
        "params": {"params.yaml": {"data": {"seed": seed, "check": unused}}},
        "metrics": {
            f"reports/metrics/{run}.json": {"data": {"mAP": value, "rank1": 50.0}},
            "reports/data/market1501.json": {"data": {"mAP": 1.0}},
        },
    }
    data["params"]["plan.json"] = {"data": plan}
    return {"rev": name * 7, "name": name, "data": data}


def shown(*entries: Entry) -> list[Any]:
    """The first as the commit, the others as its experiments, and what is in no result."""
    first, *others = entries
    nested: list[Entry] = [{"revs": [other], "executor": None} for other in others]
    nested.append({"revs": [{"rev": "failed", "name": "failed", "data": None}], "executor": None})
    nested.append({"revs": None, "executor": {"state": "queued"}})
    workspace = {**first, "rev": "workspace", "name": None, "experiments": None}
    return [workspace, {**first, "experiments": nested}]


def found(*entries: Entry, metric: str = "mAP") -> list[Spread]:
    return spreads(metric, list(finished(shown(*entries), lambda *_: True)))


def test_mean_sample_deviation_and_number() -> None:
    (row,) = found(entry("a", 0, 40.0), entry("b", 1, 42.0), entry("c", 2, 47.0))
    assert (row.run, row.setting, dict(row.values)) == ("ours", "", {0: 40.0, 1: 42.0, 2: 47.0})
    assert row.mean == pytest.approx(43)
    assert row.std == pytest.approx(13**0.5)
    assert row.cells == (
        "mAP",
        "ours",
        "",
        3,
        43.0,
        pytest.approx(3.6056, abs=1e-4),
        [0, 1, 2],
        [40, 42, 47],
    )


def test_other_parameters_are_another_setting_which_is_named_by_them() -> None:
    pairs = [
        entry(f"{attention}{seed}", seed, 40.0 + seed, attention=attention)
        for attention in ("cbam", "eca")
        for seed in (0, 1)
    ]
    single = entry("se", 0, 40.0, attention="se")
    rows = found(*pairs, single)
    assert [row.setting for row in rows] == ["attention=cbam", "attention=eca"]


def test_other_code_is_another_setting_too() -> None:
    rows = found(
        *(entry("a", 0, 40.0), entry("b", 1, 41.0)),
        *(entry("c", 0, 30.0, code="bb"), entry("d", 2, 31.0, code="bb")),
    )
    assert [(row.setting, list(row.values)) for row in rows] == [
        ("variant 1", [0, 1]),
        ("variant 2", [0, 2]),
    ]


def test_what_no_result_depends_on_tells_nothing_apart() -> None:
    (row,) = found(entry("a", 0, 40.0), entry("b", 1, 41.0, unused=2.0))
    assert len(row.values) == 2


def test_runs_are_told_apart_by_what_concerns_them_alone() -> None:
    """Another attention of one run is no other setting of the rest."""
    both = [entry("a", 0, 40.0), entry("b", 1, 41.0, attention="eca")]
    for one, value in zip(both, (30.0, 31.0), strict=True):
        other = entry("x", int(value) - 30, value, run="plain", attention="none")["data"]
        for stage in ("train", "extract", "evaluate"):
            own = one["data"]["params"]["plan.json"]["data"][stage]
            own |= other["params"]["plan.json"]["data"][stage]
        one["data"]["metrics"] |= other["metrics"]
    (row,) = found(*both)
    assert (row.run, row.setting, dict(row.values)) == ("plain", "", {0: 30.0, 1: 31.0})


def test_the_same_seed_twice_counts_once_and_must_agree() -> None:
    (row,) = found(entry("a", 0, 40.0), entry("b", 0, 40.0), entry("c", 1, 41.0))
    assert len(row.values) == 2
    with pytest.raises(UserError, match="two experiments of seed 0") as caught:
        found(entry("a", 0, 40.0), entry("b", 0, 40.1), entry("c", 1, 41.0))
    assert "dvc exp remove b" in str(caught.value)


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), "high"])
def test_a_value_that_is_no_number_is_named(value: Any) -> None:
    with pytest.raises(UserError, match="not a finite number") as caught:
        found(entry("a", 0, 40.0), entry("b", 1, value))
    assert "experiment b, run ours" in str(caught.value)


def test_nothing_to_aggregate_says_what_there_is() -> None:
    with pytest.raises(UserError, match="no two experiments") as caught:
        found(entry("a", 0, 40.0), entry("b", 1, 41.0, attention="eca"))
    assert "a (seed 0), b (seed 1)" in str(caught.value)
    with pytest.raises(UserError, match="none with results"):
        spreads("mAP", [])
    with pytest.raises(UserError, match=r"no experiment has the metric 'map'(.|\n)*mAP, rank1"):
        found(entry("a", 0, 40.0), entry("b", 1, 41.0), metric="map")


def test_the_file_has_exact_values(tmp_path: Path) -> None:
    path = write(found(entry("a", 0, 40 + 1 / 3), entry("b", 1, 41.0)), tmp_path)
    assert path == tmp_path / "mAP.csv"
    with path.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["run"], row["n"], row["seeds"]) == ("ours", "2", "0 1")
    assert [float(value) for value in row["values"].split()] == [40 + 1 / 3, 41.0]

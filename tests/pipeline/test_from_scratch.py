"""The whole pipeline from nothing, by DVC and side by side in another folder: the same bytes."""

import json

import pytest

from tests.pipeline.clone import Clone, stages_run

pytestmark = pytest.mark.slow


def test_a_repro_and_a_spread_from_scratch_give_equal_bytes(
    spread_twin: Clone, twin: Clone
) -> None:
    locks = [clone.read("dvc.lock") for clone in (twin, spread_twin)]
    runs = json.loads(twin.read("plan.json"))["train"]
    assert runs
    assert locks[0].count("train@") == len(runs)
    assert locks[0] == locks[1]
    tables = [clone.read("reports/tables/table1.csv") for clone in (twin, spread_twin)]
    assert tables[0] == tables[1]


def test_after_a_spread_there_is_nothing_to_do(spread_twin: Clone) -> None:
    assert spread_twin.reidpipe("spread", "--dry").stdout == ""
    assert stages_run(spread_twin.run("dvc", "repro").stdout) == ["resolve"]

"""The whole pipeline, run by DVC from nothing: the same bytes in another folder."""

import json

import pytest

from tests.pipeline.clone import Clone

pytestmark = pytest.mark.slow


def test_two_repros_from_scratch_give_equal_bytes(other_twin: Clone, twin: Clone) -> None:
    locks = [clone.read("dvc.lock") for clone in (twin, other_twin)]
    runs = json.loads(twin.read("plan.json"))["train"]
    assert runs
    assert locks[0].count("train@") == len(runs)
    assert locks[0] == locks[1]
    tables = [clone.read("reports/tables/table1.csv") for clone in (twin, other_twin)]
    assert tables[0] == tables[1]

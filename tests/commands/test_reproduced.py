"""Whether a machine made the committed bytes: which stages have changed, and which disagree."""

from typing import Any

import pytest

from reidpipe.commands.check.reproduced import compared

OUTS = [{"path": "a", "md5": "1"}]
OTHER = [{"path": "a", "md5": "2"}]
DEPS = [{"path": "b", "md5": "3"}]
PARAMS = {"plan.json": {"train.a": 1}}


def stage(**own: Any) -> dict[str, Any]:
    return {"one": {"cmd": "make a", "outs": OUTS, **own}}


@pytest.mark.parametrize("inputs", [{"deps": DEPS}, {"params": PARAMS}])
def test_other_bytes_of_equal_inputs_are_named(inputs: dict[str, Any]) -> None:
    found = compared(stage(**inputs), stage(**inputs, outs=OTHER))
    assert found.other_bytes == ("one",)
    assert not found.changed


def test_a_stage_whose_inputs_no_lock_knows_has_changed_with_its_output() -> None:
    found = compared(stage(), stage(outs=OTHER))
    assert found.changed == ("one",)
    assert not found.other_bytes


@pytest.mark.parametrize("inputs", [{}, {"deps": DEPS}, {"params": PARAMS}])
def test_equal_locks_are_reproduced(inputs: dict[str, Any]) -> None:
    assert str(compared(stage(**inputs), stage(**inputs))).startswith("reproduced: yes")

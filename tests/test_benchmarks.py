"""The studies' own words: a slip in one must not be taken for a variant."""

import json
from typing import Any

import pytest

from benchmarks.variants import changed, main

PLAN: dict[str, Any] = {
    "train": {"one": {"network": {"classifier": "circle"}, "recipe": {"lr": 1}}}
}


def test_a_variant_is_the_plan_with_other_values() -> None:
    text = "network.classifier=linear,network.circle.scale=32,recipe.milestones=[3, 4]"
    text = f"{text},network.triplet=false,machine.threads=1,data.height=96,data.occluded=0.6"
    made, data = changed(PLAN, "one", text)
    found = made["train"]["one"]
    assert data == (("height", 96), ("occluded", 0.6))
    assert found["machine"] == {"threads": 1}
    assert found["network"] == {"classifier": "linear", "circle": {"scale": 32}, "triplet": False}
    assert found["recipe"] == {"lr": 1, "milestones": [3, 4]}
    assert changed(PLAN, "one", "-") == (PLAN, ())
    assert "linear" not in json.dumps(PLAN), "the plan itself stays"


@pytest.mark.parametrize(
    "text", ["networks.classifier=linear", "seed=9", "classifier=linear", "data.a.b=1"]
)
def test_what_changes_nothing_is_no_variant(text: str) -> None:
    with pytest.raises(SystemExit, match="none of network"):
        changed(PLAN, "one", text)


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(SystemExit, match="--epochs"):
        main(["one", "--epochs=3"])

"""A wrong parameter stops everything within seconds, and git takes it back."""

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reidpipe.runtime.settings import attentions
from tests.pipeline.clone import ROOT, Clone, stages_run

pytestmark = pytest.mark.slow

STAGES = sorted({path.stem for path in (ROOT / "stages").glob("[a-z]*.py")} - {"resolve"})
ALONE = {"report", "pose"}
"""They have no items."""


@pytest.fixture(scope="module")
def clone(untouched: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    made = untouched.copy(tmp_path_factory.mktemp("guard") / "clone")
    made.run("dvc", "repro", "resolve")
    made.commit("resolved")
    return made


def taken_back(clone: Clone) -> bool:
    clone.run("git", "restore", "params.yaml")
    return clone.state() == ""


@pytest.mark.parametrize("value", ["foo", "cban"])
def test_an_unknown_attention_is_named(clone: Clone, value: str) -> None:
    """Also one that is as long as the old one: git must see it."""
    result = clone.run("dvc", "exp", "run", "-S", f"attention={value}", check=False)
    said = result.stdout + result.stderr
    assert result.returncode != 0
    assert "attention: wrong value" in said
    assert f"allowed: one of {', '.join(attentions())}" in said
    assert f"found: '{value}'" in said
    assert "take it back: git restore params.yaml" in said
    assert "Traceback" not in said
    assert stages_run(said) == ["resolve"]
    assert clone.state() == " M params.yaml\n"
    assert taken_back(clone)


@pytest.mark.parametrize(
    ("added", "nearest"),
    [
        ("+atention=eca", "attention"),
        ("+embedded.systems.ours.options.cbam.reducton=8", "reduction"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest(clone: Clone, added: str, nearest: str) -> None:
    result = clone.run("dvc", "exp", "run", "-S", added, check=False)
    said = result.stdout + result.stderr
    assert result.returncode != 0
    assert f"{added[1:].partition('=')[0]}: unknown key" in said
    assert f"did you mean '{nearest}'?" in said
    assert taken_back(clone)


def test_dvc_refuses_a_key_that_is_not_there(clone: Clone) -> None:
    result = clone.run("dvc", "exp", "run", "-S", "atention=eca", check=False)
    assert result.returncode != 0
    assert "atention" in result.stderr
    assert clone.state() == ""


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    """Runs a stage in an empty folder, in this process; its exit status."""
    monkeypatch.chdir(tmp_path)

    def start(stage: str, *item: str) -> int:
        monkeypatch.setattr(sys, "argv", [stage, *item])
        with pytest.raises(SystemExit) as left:
            runpy.run_path(str(ROOT / f"stages/{stage}.py"), run_name="__main__")
        assert isinstance(left.value.code, int)
        return left.value.code

    return start


@pytest.mark.parametrize("stage", STAGES)
def test_without_a_plan_no_stage_touches_anything(
    started: Callable[..., int], stage: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    item = [] if stage in ALONE else ["market1501-ours"]
    assert started(stage, *item) == 2
    assert capsys.readouterr().err.startswith("error: the plan cannot be read")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("stage", sorted(set(STAGES) - ALONE))
def test_what_the_plan_does_not_have_is_named(
    started: Callable[..., int], stage: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "plan.json").symlink_to(ROOT / "plan.json")
    assert started(stage, "market1501-our") == 2
    said = capsys.readouterr().err
    assert f"plan.json: {stage}" in said
    assert "the plan has nothing about 'market1501-our'" in said
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]

"""A wrong parameter stops everything within seconds and leaves the workspace as it was."""

from pathlib import Path

import pytest

from tests.pipeline.clone import Clone, stages_run


@pytest.fixture(scope="module")
def clone(untouched: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    made = untouched.copy(tmp_path_factory.mktemp("guard") / "clone")
    made.run("dvc", "repro", "params")
    made.commit("checked")
    return made


def test_an_unknown_attention_is_named_and_taken_back(clone: Clone) -> None:
    result = clone.run("dvc", "exp", "run", "-S", "attention=foo", check=False)
    said = result.stdout + result.stderr
    assert result.returncode != 0
    assert "attention: wrong value" in said
    assert "allowed: one of cbam, danet, eca, none, nonlocal, se" in said
    assert "found: 'foo'" in said
    assert "Traceback" not in said
    assert stages_run(said) == ["params"]
    assert clone.state() == ""


@pytest.mark.parametrize("added", ["+atention=eca", "+embedded.train.epoch=3"])
def test_an_unknown_key_is_named_with_the_nearest_and_taken_back(clone: Clone, added: str) -> None:
    result = clone.run("dvc", "exp", "run", "-S", added, check=False)
    said = result.stdout + result.stderr
    assert result.returncode != 0
    assert f"{added[1:].partition('=')[0]}: unknown key" in said
    assert "did you mean" in said
    assert clone.state() == ""


def test_dvc_refuses_a_key_that_is_not_there(clone: Clone) -> None:
    result = clone.run("dvc", "exp", "run", "-S", "atention=eca", check=False)
    assert result.returncode != 0
    assert "atention" in result.stderr
    assert clone.state() == ""


def test_what_a_user_wrote_is_never_taken_back(clone: Clone) -> None:
    path = clone.folder / "params.yaml"
    mine = path.read_text().replace("seed: 0 ", "seed: 5 ")
    path.write_text(mine)
    result = clone.run("dvc", "exp", "run", "-S", "classifier=foo", check=False)
    assert result.returncode != 0
    assert "seed: 5" in path.read_text()
    clone.run("git", "checkout", "params.yaml")


@pytest.mark.parametrize("stage", sorted(Path("stages").glob("*.py")), ids=lambda path: path.stem)
def test_every_stage_checks_the_parameters_before_it_touches_anything(
    clone: Clone, stage: Path
) -> None:
    path = clone.folder / "params.yaml"
    path.write_text(path.read_text().replace("attention: cbam", "attention: foo"))
    options = {
        "download": "--dataset market1501",
        "split": "--dataset market1501",
        "train": "--run a --dataset market1501 --start b --attention eca --classifier linear"
        " --no-triplet",
        "extract": "--run a --dataset market1501",
        "evaluate": "--run a",
    }.get(stage.stem, "")
    result = clone.run("python", "-m", f"stages.{stage.stem}", *options.split(), check=False)
    assert result.returncode == 2
    assert result.stderr.startswith("error: 1 parameter is wrong\n  attention: wrong value")
    assert clone.state() == " M params.yaml\n"
    clone.run("git", "checkout", "params.yaml")

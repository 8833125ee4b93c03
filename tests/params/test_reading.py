"""params.yaml: what is right is read as meant, what is wrong is named."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.utils.serialize import modify_yaml

from reidpipe.errors import UserError
from reidpipe.params import attentions, load

ROOT = Path(__file__).parents[2]


@pytest.fixture
def content() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
    return loaded


def refused(content: object, tmp_path: Path) -> str:
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(UserError) as caught:
        load(path)
    return str(caught.value)


def test_the_committed_file_is_valid_and_both_profiles_name_the_same_data_sets() -> None:
    params = load(ROOT / "params.yaml")
    assert set(params.embedded.data) == set(params.paper.data)
    assert params.active is params.embedded


def test_yaml_reads_1e_4_as_a_string_and_it_is_a_number_here(
    content: dict[str, Any], tmp_path: Path
) -> None:
    content["embedded"]["train"]["lr"] = "1e-4"
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    assert load(path).embedded.train.lr == pytest.approx(1e-4)


def test_a_wrong_value_names_path_allowed_found_and_nearest(
    content: dict[str, Any], tmp_path: Path
) -> None:
    content["attention"] = "ecca"
    message = refused(content, tmp_path)
    assert "attention: wrong value" in message
    assert f"one of {', '.join(attentions())}" in message
    assert "found: 'ecca'" in message
    assert "did you mean 'eca'?" in message


@pytest.mark.parametrize(
    ("place", "wrong", "right"),
    [
        ((), "atention", "attention"),
        (("embedded", "train"), "epoch", "epochs"),
        (("embedded", "data", "market1501"), "camera", "cameras"),
        (("embedded", "train", "attention", "nonlocal"), "iner", "inner"),
        (("paper", "weights"), "sha265", "sha256"),
    ],
)
def test_an_unknown_key_names_its_path_and_the_nearest(
    content: dict[str, Any], tmp_path: Path, place: tuple[str, ...], wrong: str, right: str
) -> None:
    section = content
    for key in place:
        section = section[key]
    section[wrong] = 1
    message = refused(content, tmp_path)
    assert f"{'.'.join((*place, wrong))}: unknown key" in message
    assert f"did you mean {right!r}?" in message


def test_everything_wrong_is_said_at_once(content: dict[str, Any], tmp_path: Path) -> None:
    content["embedded"]["train"]["lr"] = -1
    content["paper"]["extract"]["precision"] = "fp8"
    del content["seed"]
    message = refused(content, tmp_path)
    assert message.startswith("3 parameters are wrong")
    assert "embedded.train.lr: wrong value" in message
    assert "allowed: 'fp32', 'bf16' or 'fp16'" in message
    assert "seed: missing" in message


@pytest.mark.parametrize("text", ["", "- 1", "a: [", "\xff"])
def test_what_is_no_mapping_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=r"params|parameter"):
        load(path)


def test_no_file_says_where_to_run_from(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run from the folder"):
        load(tmp_path / "params.yaml")


def test_a_new_attention_file_needs_no_section(content: dict[str, Any]) -> None:
    assert load(ROOT / "params.yaml").active.train.attention.options("none") == {}
    options = load(ROOT / "params.yaml").active.train.attention.options("nonlocal")
    assert options == content["embedded"]["train"]["attention"]["nonlocal"]


def test_a_parameter_set_by_dvc_changes_its_own_line_alone(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    before = (ROOT / "params.yaml").read_text()
    path.write_text(before)
    with modify_yaml(path) as content:
        content["classifier"] = "linear"
    changed = set(before.splitlines()) ^ set(path.read_text().splitlines())
    assert {line.split(":")[0] for line in changed} == {"classifier"}

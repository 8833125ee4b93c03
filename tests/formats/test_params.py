"""params.yaml: what is right is read as meant, what is wrong is named."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.utils.serialize import modify_yaml

from reidpipe.errors import UserError
from reidpipe.formats.params import load
from reidpipe.runtime.settings import attentions

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
    others = load(ROOT / "params.yaml", profile="paper").active
    assert set(params.active.data) == set(others.data)


def committed_with(line: str, other: str, tmp_path: Path) -> Path:
    """params.yaml as it is in git, the first `line` of it (less its comment) another."""
    path = tmp_path / "params.yaml"
    before = (ROOT / "params.yaml").read_text()
    assert f"\n{line}" in before
    path.write_text(before.replace(f"\n{line}", f"\n{other}", 1))
    return path


def test_1e_4_is_a_number_though_yaml_1_1_reads_a_string(tmp_path: Path) -> None:
    path = committed_with("    lr: 6.0e-3", "    lr: 1e-4", tmp_path)
    assert yaml.safe_load(path.read_text())["embedded"]["train"]["lr"] == "1e-4"
    assert load(path).active.train["lr"] == 1e-4


@pytest.mark.parametrize("value", ["on", "yes", "0", "1", "'true'", "maybe", "", "[true]"])
def test_triplet_is_true_or_false_as_dvc_puts_it_into_a_command(value: str, tmp_path: Path) -> None:
    path = committed_with("triplet: true", f"triplet: {value}", tmp_path)
    with pytest.raises(UserError, match="triplet: wrong value\n    allowed: a valid boolean"):
        load(path)


@pytest.mark.parametrize("value", ["true", "1.5", "'7'", "-1", ".inf", ".nan", "1e400", "[]", "x"])
def test_a_whole_number_is_nothing_else(value: str, tmp_path: Path) -> None:
    path = committed_with("seed: 0", f"seed: {value}", tmp_path)
    with pytest.raises(UserError, match="seed: wrong value"):
        load(path)


@pytest.mark.parametrize("value", ["true", "'0.1'", "-1", "0", ".inf", ".nan", "1e400", "[]", "x"])
def test_a_learning_rate_is_a_finite_number_above_0(value: str, tmp_path: Path) -> None:
    path = committed_with("    lr: 6.0e-3", f"    lr: {value}", tmp_path)
    with pytest.raises(UserError, match=r"embedded.train.lr: wrong value"):
        load(path)


def test_a_key_that_stands_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    path = committed_with("seed: 0", "profile: paper\nseed: 0", tmp_path)
    with pytest.raises(UserError, match="not YAML") as caught:
        load(path)
    assert 'duplicate key "profile"' in str(caught.value)
    assert "(line " in str(caught.value)


def test_a_wrong_value_is_shown_in_short(content: dict[str, Any], tmp_path: Path) -> None:
    content["attention"] = "a" * 10_000
    content["embedded"]["train"] = [["x"] * 100] * 100
    message = refused(content, tmp_path)
    assert len(message) < 1000
    assert "embedded.train: wrong value\n    allowed: a section" in message


@pytest.mark.parametrize("key", ["md5", "sha256"])
def test_a_checksum_has_its_length(key: str, content: dict[str, Any], tmp_path: Path) -> None:
    content["paper"]["data"]["msmt17"][key] = "123"
    assert f"paper.data.msmt17.{key}: wrong value" in refused(content, tmp_path)


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
        (("embedded", "systems", "ours"), "label_smoth", "label_smoothing"),
        (("paper", "weights", "resnet"), "sha265", "sha256"),
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


@pytest.mark.parametrize("text", ["", "- 1", "null", "hello"])
def test_what_is_no_mapping_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match="not a mapping"):
        load(path)


@pytest.mark.parametrize(
    "text", ["a: [", "\xff", "a: \0", "\ta: 1", "!!python/name:os.system", "a: " + "[" * 5000]
)
def test_what_is_no_yaml_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match="not YAML"):
        load(path)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Is a directory"):
        load(tmp_path)


def test_no_file_says_where_to_run_from(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run from the folder"):
        load(tmp_path / "params.yaml")


def test_what_the_file_does_not_say_is_the_default_of_the_code() -> None:
    ours = load(ROOT / "params.yaml").active.systems["ours"]
    assert ours["options"]["none"] == {}
    assert ours["options"]["nonlocal"] == {"inner": "half", "form": "embedded"}
    assert ours["circle"] == {"scale": 64.0, "margin": 0.35}
    assert load(ROOT / "params.yaml").active.evaluate.bootstrap["samples"] == 2000


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("systems", "ours", "options", "cbam", "kernel"), 5),
        (("systems", "ours", "options", "cbam", "bias"), 1),
        (("systems", "ours", "batch_hard", "margin"), 0),
        (("systems", "ours", "backbone"), "vgg"),
        (("evaluate", "bootstrap", "confidence"), 1.0),
        (("evaluate", "rerank", "k1"), 0),
        (("train", "augment", "flip"), 1.5),
    ],
)
def test_options_of_signatures_are_checked_and_named(
    content: dict[str, Any], tmp_path: Path, keys: tuple[str, ...], value: object
) -> None:
    section = content["embedded"]
    for key in keys[:-1]:
        section = section.setdefault(key, {})
    section[keys[-1]] = value
    assert f"embedded.{'.'.join(keys)}: wrong value" in refused(content, tmp_path)


def test_a_profile_that_is_not_used_may_be_left_out(
    content: dict[str, Any], tmp_path: Path
) -> None:
    del content["paper"]
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    assert load(path).active
    content["profile"] = "paper"
    assert "profile paper: there is no section of this name" in refused(content, tmp_path)


def test_a_parameter_set_by_dvc_changes_its_own_line_alone(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    before = (ROOT / "params.yaml").read_text()
    path.write_text(before)
    with modify_yaml(path) as content:
        content["classifier"] = "linear"
    changed = set(before.splitlines()) ^ set(path.read_text().splitlines())
    assert {line.split(":")[0] for line in changed} == {"classifier"}

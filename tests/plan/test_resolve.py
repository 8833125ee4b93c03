"""plan.json: what it says of each run, what makes which part of it another, what is refused."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from reidpipe.errors import UserError
from reidpipe.formats import lock
from reidpipe.plan.resolve import plan, resolve

ROOT = Path(__file__).parents[2]
FILES = ("params.yaml", "runs.yaml", "dvc.yaml", "requirements.lock")
OURS = {
    "market1501-ours",
    "market1501-ours-pretrained",
    "dukemtmc-ours-pretrained",
    "msmt17-ours-pretrained",
}


SETS = ("market1501", "dukemtmc", "msmt17")
ECA = {"train@market1501-eca", "extract@market1501-eca", "report"}
PCB = {f"{stage}@{name}-pcb" for stage in ("train", "extract") for name in SETS} | {"report"}
RPP = {f"{stage}@{name}-rpp" for stage in ("train", "extract") for name in SETS[:2]}
OSNET = {name.replace("pcb", "osnet") for name in PCB} | {"weights@osnet"}
"""What an edit of a file concerns."""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("reidpipe", "stages"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def put(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, f"{path.name}: {old}"
    path.write_text(text.replace(old, new))


def stale(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """Stages that DVC would run for their part of the plan."""
    found = {"report"} if before["report"] != after["report"] else set()
    for stage in ("download", "weights", "split", "train", "extract", "evaluate"):
        names = before[stage].keys() | after[stage].keys()
        found |= {f"{stage}@{n}" for n in names if before[stage].get(n) != after[stage].get(n)}
    return found


def test_the_committed_plan_is_that_of_the_committed_files() -> None:
    assert json.loads((ROOT / "plan.json").read_text()) == plan(ROOT)


def test_the_lock_was_made_by_the_committed_plan() -> None:
    """A stage that ran with another one would be run again: the numbers are not of this code."""
    made = json.loads((ROOT / "plan.json").read_text())
    stages = lock.stages(root=ROOT)  # DVC's YAML is 1.2, in which 5e-05 is a number
    listed = yaml.safe_load((ROOT / "runs.yaml").read_text())
    names = {"report"} | {f"{s}@{d}" for s in ("download", "split") for d in listed["datasets"]}
    names |= {f"weights@{role}" for role in listed["weights"]} | {"pose"}
    names |= {f"cell@{name}" for name in listed["cells"]}
    names |= {f"{s}@{run}" for s in ("train", "extract", "evaluate") for run in listed["runs"]}
    assert set(stages) - {"resolve"} == names
    for name in names:
        stage, _, item = name.partition("@")
        (params,) = stages[name]["params"].values()
        expected = made[stage][item] if item else made[stage]
        assert params == {name.replace("@", "."): expected}, name


def test_a_run_has_its_own_network_and_what_the_profile_says() -> None:
    made = plan(ROOT)
    eca = made["train"]["market1501-eca"]
    assert eca["network"]["options"] == {"eca": {"gamma": 2, "b": 1}}
    assert eca["network"].keys() & {"circle", "batch_hard"} == set()
    assert eca["start"] == "data/weights/random.safetensors"
    ours = made["train"]["msmt17-ours-pretrained"]
    assert (ours["dataset"], ours["network"]["attention"]) == ("msmt17", "cbam")
    assert ours["network"]["circle"] == {"scale": 64.0, "margin": 0.35}
    assert ours["network"]["batch_hard"] == {"margin": 0.3}
    assert ours["recipe"]["image_size"] == [64, 32]
    paper = plan(ROOT, profile="paper")
    assert paper["train"]["market1501-ours"]["recipe"]["image_size"] == [256, 128]
    assert paper["download"]["msmt17"]["source"]["file"] == "MSMT17_V1.tar.gz"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("attention: cbam ", "attention: eca "),
        ("classifier: circle ", "classifier: linear "),
        ("triplet: true", "triplet: false"),
    ],
)
def test_a_knob_concerns_the_runs_of_ours(copy: Path, old: str, new: str) -> None:
    before = plan(copy)
    put(copy / "params.yaml", old, new)
    found = stale(before, plan(copy))
    stages = ("train", "extract") if "attention" in old else ("train",)
    assert found == {f"{stage}@{run}" for stage in stages for run in OURS} | {"report"}


def test_the_gate_and_the_other_profile_concern_nothing(copy: Path) -> None:
    before = plan(copy)
    put(copy / "params.yaml", "false_alarms: 0.05", "false_alarms: 0.1")
    put(copy / "params.yaml", "workers: 8", "workers: 4")
    put(copy / "params.yaml", "epochs: 120", "epochs: 60")
    assert stale(before, plan(copy)) == set()


def test_a_value_of_evaluation_retrains_nothing(copy: Path) -> None:
    before = plan(copy)
    old = "  evaluate:\n    device: cpu\n    threads: 1\n    instructions: avx2\n  report:"
    put(copy / "params.yaml", old, old.replace("    device", "    top_k: 10\n    device"))
    kinds = {name.partition("@")[0] for name in stale(before, plan(copy))}
    assert kinds == {"evaluate", "report"}


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("attention/eca.py", "k // 2", "(k - 1) // 2", ECA),
        ("reporting/report.py", "for table in tables:", "for table in [*tables]:", {"report"}),
        ("systems/pcb.py", "torch.stack(by_part)", "torch.cat(by_part)", PCB | RPP),
        ("systems/osnet.py", "STREAMS = 4", "STREAMS = 3", OSNET),
    ],
)
def test_an_edited_line_concerns_what_reaches_it(
    copy: Path, file: str, old: str, new: str, expected: set[str]
) -> None:
    before = plan(copy)
    (copy / "reidpipe").unlink()
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "reidpipe", copy / "reidpipe", ignore=ignored)
    put(copy / "reidpipe" / file, old, new)
    found = stale(before, plan(copy))
    assert found == expected


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("runs.yaml", "runs:\n", "runs:\n  a: {dataset: duke, start: x}\n", "mean 'dukemtmc'"),
        (
            "runs.yaml",
            "runs:\n",
            "runs:\n  a: {dataset: msmt17, start: data/weights/rnadom.safetensors}\n",
            "did you mean 'data/weights/random.safetensors'?",
        ),
        ("runs.yaml", "runs:\n", "runs:\n  a: {dataset: msmt17}\n", "runs.a.start"),
        ("runs.yaml", "attention: se,", "attention: see,", "runs.market1501-se.attention"),
        ("runs.yaml", "attention: se,", "attentoin: se,", "runs.market1501-se.attentoin"),
        ("runs.yaml", "datasets: [", "datasets: [mine, ", "no data set 'mine' in the profile"),
        ("runs.yaml", "runs:\n", "runs:\n  a: [\n", "the runs are not YAML"),
        ("params.yaml", "attention: cbam", "attention: foo", "attention: wrong value"),
        ("dvc.yaml", "runs/msmt17-ours-pretrained/", "runs/mine/", "'ours-msmt17' is of no run"),
        (
            "dvc.yaml",
            "    foreach: ${runs}\n    do:\n      desc: One network",
            "    foreach:\n      mine: {dataset: mine}\n    do:\n      desc: One network",
            "own lines go to runs.yaml",
        ),
    ],
)
def test_what_is_wrong_is_named_and_the_old_plan_stays(
    copy: Path, file: str, old: str, new: str, said: str
) -> None:
    (copy / "plan.json").write_text("as it was")
    put(copy / file, old, new)
    with pytest.raises(UserError) as caught:
        resolve(copy)
    assert said in str(caught.value)
    assert (copy / "plan.json").read_text() == "as it was"


@pytest.mark.parametrize("name", ["my.set", "2024", "my set", "größe", "-x", "a/b", "''", "_x"])
@pytest.mark.parametrize("part", ["runs", "datasets"])
def test_a_name_that_dvc_cannot_take_is_refused(copy: Path, part: str, name: str) -> None:
    if part == "runs":
        put(copy / "runs.yaml", "  market1501-ours:", f"  {name}:")
    else:
        put(copy / "runs.yaml", "dukemtmc, msmt17]", f"dukemtmc, msmt17, {name}]")
    with pytest.raises(UserError, match="cannot be a name") as caught:
        plan(copy)
    assert "the first is a letter" in str(caught.value)


def test_a_run_may_have_a_recipe_of_its_own(copy: Path) -> None:
    before = plan(copy)
    line = "market1501-ours: {dataset: market1501, start: data/weights/random.safetensors"
    put(copy / "runs.yaml", line, f"{line}, train: {{identities: 8, lr: 0.1}}")
    after = plan(copy)
    assert stale(before, after) == {"train@market1501-ours"}
    own = after["train"]["market1501-ours"]["recipe"]
    recipe = before["train"]["market1501-ours"]["recipe"]
    assert own == {**recipe, "identities": 8, "lr": 0.1}


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ("{identites: 8}", "did you mean 'identities'?"),
        ("{identities: 0}", "greater than 0"),
        ("{lr: fast}", "runs.market1501-ours.train.lr"),
        ("{augment: {pads: 3}}", "augment"),
        ("[1]", "dictionary"),
    ],
)
def test_a_wrong_recipe_is_named(copy: Path, own: str, words: str) -> None:
    line = "market1501-ours: {dataset: market1501, start: data/weights/random.safetensors"
    put(copy / "runs.yaml", line, f"{line}, train: {own}")
    with pytest.raises(UserError) as caught:
        plan(copy)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ("system: pcb, options: {descriptor: x}", "runs.mine.options.descriptor"),
        ("system: pcb, options: {descripter: h}", "did you mean 'descriptor'?"),
        ("system: pcb, options: {epochs: 3}", "one of backbone, parts"),
        ("system: pcb, train: {batch_size: 1}", "greater than or equal to 2"),
        ("system: pbc", "did you mean 'pcb'?"),
        ("system: pcb, attention: se", "attention: of the system ours alone"),
        ("system: svdnet, options: {dropout: 1.0}", "less than 1"),
        ("start: data/weights/osnet.safetensors, system: pcb", "weights of another network"),
        ("start: data/weights/osnet.safetensors", "those of osnet x0.25"),
        ("start: runs/market1501-osnet/model.safetensors, system: pcb", "of another network"),
        ("start: runs/market1501-pbc/model.safetensors", "did you mean"),
        ("start: runs/mine/model.safetensors", "mine <- mine"),
        ("system: rpp", "goes on where a run of pcb has ended"),
        (
            "start: runs/market1501-ours/model.safetensors, system: rpp",
            "found:    system: ours, dataset: market1501",
        ),
        ("start: data/cells/msmt17.json, system: autoreid", "expected: system: autoreid"),
        ("start: data/cells/msmt17.json, system: pcb", "a cell that is not for it"),
        ("start: data/cells/market.json, system: autoreid", "did you mean"),
        ("system: aacn", "data/weights/pose.safetensors for the system aacn"),
        (
            "start: data/weights/pose.safetensors, system: aacn, options: {pose_width: 8}",
            "pose_width: 32",
        ),
        ("start: data/weights/pose.safetensors, system: pcb", "found:    system: pcb"),
        ("start: runs/dukemtmc-pcb/model.safetensors, system: rpp", "dataset: dukemtmc"),
        (
            "start: runs/market1501-pcb/model.safetensors, system: rpp, options: {parts: 3}",
            "parts: 3",
        ),
    ],
)
def test_a_run_of_a_system_that_cannot_be_is_named(copy: Path, own: str, words: str) -> None:
    start = "" if "start:" in own else "start: data/weights/resnet.safetensors, "
    put(copy / "runs.yaml", "runs:\n", f"runs:\n  mine: {{dataset: market1501, {start}{own}}}\n")
    with pytest.raises(UserError) as caught:
        plan(copy)
    assert words in str(caught.value)


def test_a_role_that_the_profile_lacks_is_named(copy: Path) -> None:
    put(copy / "runs.yaml", "resnet101, osnet]", "resnet101, osnt]")
    put(copy / "runs.yaml", "runs:\n", "runs: {}\nothers:\n")
    text = (copy / "runs.yaml").read_text().partition("others:")[0]
    (copy / "runs.yaml").write_text(text)
    with pytest.raises(UserError, match="did you mean 'osnet'"):
        plan(copy)


def test_other_options_of_a_system_concern_its_runs(copy: Path) -> None:
    before = plan(copy)
    put(copy / "params.yaml", "    pcb:\n      reduced: 64", "    pcb:\n      reduced: 32")
    made = plan(copy)
    # What goes on where PCB has ended is of its size.
    assert stale(before, made) == {name for name in PCB | RPP if not name.startswith("extract")}
    assert made["train"]["market1501-rpp"]["network"]["reduced"] == 32
    put(copy / "params.yaml", "    pcb:\n      reduced: 32", "    pcb:\n      reduced: 64")
    path = copy / "params.yaml"
    path.write_text(path.read_text().replace("      epochs: 72\n", "      epochs: 73\n"))
    assert stale(before, plan(copy)) == {*(f"train@{name}-pcb" for name in SETS), "report"}


def test_another_backbone_of_ours_is_that_of_all_on_a_resnet(copy: Path) -> None:
    put(copy / "params.yaml", "ours: {backbone: resnet10_x0_5}", "ours: {backbone: resnet18}")
    runs = plan(copy)["train"]
    assert runs["market1501-pcb"]["network"]["backbone"] == "resnet18"
    assert runs["market1501-svdnet"]["network"]["backbone"] == "resnet18"
    put(copy / "params.yaml", "    pcb:\n", "    pcb:\n      backbone: resnet34\n")
    with pytest.raises(UserError, match="weights of another network"):
        plan(copy)


def test_a_model_as_a_start_is_as_pretrained_as_what_it_came_from(copy: Path) -> None:
    line = "runs:\n  {}: {{dataset: dukemtmc, start: runs/market1501-{}/model.safetensors}}\n"
    lines = "".join(
        line.format(name, start).removeprefix("runs:\n")
        for name, start in (("a", "ours"), ("b", "ours-pretrained"))
    )
    put(copy / "runs.yaml", "runs:\n", f"runs:\n{lines}")
    runs = plan(copy)["report"]["runs"]
    assert (runs["a"]["pretrained"], runs["b"]["pretrained"]) == (False, True)
    assert runs["market1501-rpp"]["pretrained"]


def test_an_archive_without_a_checksum_is_looked_at(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(copy / "params.yaml", "profile: embedded ", "profile: paper ")
    monkeypatch.setenv("REIDPIPE_ARCHIVES", str(copy / "archives"))
    before = plan(copy)
    (copy / "archives").mkdir()
    for name in ("MSMT17_V1.tar.gz", "DukeMTMC-reID.zip"):
        (copy / "archives" / name).write_bytes(b"one")
    resolve(copy)
    first = plan(copy)
    # What has a checksum is known by it.
    assert stale(before, first) == {"download@msmt17"}
    (copy / "archives/MSMT17_V1.tar.gz").write_bytes(b"another")
    assert stale(first, plan(copy)) == {"download@msmt17"}
    # Where it is not here, it is what it was.
    shutil.rmtree(copy / "archives")
    assert plan(copy) == first


def test_a_missing_file_is_named(copy: Path) -> None:
    (copy / "runs.yaml").unlink()
    with pytest.raises(UserError, match="the runs are missing"):
        resolve(copy)


def test_git_restore_takes_back_a_refused_value_as_long_as_the_old_one(copy: Path) -> None:
    """DVC writes the file and git's index within a second: size and time are all that git knows."""

    def git(*arguments: str) -> None:
        settings = ("-c", "user.name=t", "-c", "user.email=t@t", "-c", "core.checkStat=minimal")
        command = ["git", *settings, "-c", "core.trustctime=false", *arguments]
        subprocess.run(command, cwd=copy, capture_output=True, check=True)

    path = copy / "params.yaml"
    earlier = path.stat().st_mtime - 60
    os.utime(path, (earlier, earlier))
    git("init", "-q")
    git("add", "params.yaml")
    git("commit", "-q", "-m", "start")
    put(path, "attention: cbam", "attention: abcd")
    os.utime(path, (earlier, earlier))
    with pytest.raises(UserError, match="attention: wrong value"):
        resolve(copy)
    git("restore", "params.yaml")
    assert "attention: cbam" in path.read_text()

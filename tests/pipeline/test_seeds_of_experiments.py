"""`reidpipe seeds` on experiments that DVC itself has run, with a stage that costs nothing."""

import csv
from pathlib import Path

import pytest

from tests.pipeline.clone import Clone

pytestmark = pytest.mark.slow

PARAMS = "profile: embedded\nattention: cbam\nseed: 0\n"
PIPELINE = """
stages:
  resolve:
    cmd: python resolve.py
    always_changed: true
    outs: [plan.json: {cache: false, persist: true}]
  train:
    foreach: [ours, base]
    do:
      cmd: python stage.py train ${item} runs/${item}.model
      params: [{plan.json: ["train.${item}"]}]
      outs: ["runs/${item}.model"]
  extract:
    foreach: [ours, base]
    do:
      cmd: python stage.py extract ${item} runs/${item}.features runs/${item}.model
      deps: ["runs/${item}.model"]
      params: [{plan.json: ["extract.${item}"]}]
      outs: ["runs/${item}.features"]
  evaluate:
    foreach: [ours, base]
    do:
      cmd: python stage.py evaluate ${item} reports/metrics/${item}.json runs/${item}.features
      deps: ["runs/${item}.features"]
      params: [{plan.json: ["evaluate.${item}"]}]
      metrics: [{"reports/metrics/${item}.json": {cache: false}}]
"""
RESOLVE = """
import json, re
text = open("params.yaml").read()
seed = int(re.search(r"seed: (\\d)", text)[1])
network = {"attention": "eca", "k": 3} if "eca" in text else {"attention": "cbam"}
others = {"ours": network, "base": {"attention": "none"}}
train = {run: {"network": own, "seed": seed, "code": "a"} for run, own in others.items()}
others = {stage: {run: {"code": "b"} for run in train} for stage in ("extract", "evaluate")}
json.dump({"train": train, **others}, open("plan.json", "w"))
"""
STAGE = """
import json, sys
stage, run, out, *given = sys.argv[1:]
if stage == "train":
    own = json.load(open("plan.json"))["train"][run]
    text = json.dumps({"mAP": 40.0 + own["seed"] + 5 * (own["network"]["attention"] == "eca")})
else:
    text = open(given[0]).read()
open(out, "w").write(text)
"""


class Free(Clone):
    """A repository of two runs with one metric, 40 + seed, and for `ours` 5 more with eca."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "reports/metrics").mkdir(parents=True)
        (folder / "runs").mkdir()
        files = {"params.yaml": PARAMS, "dvc.yaml": PIPELINE, "stage.py": STAGE}
        files |= {"resolve.py": RESOLVE, "runs/.gitkeep": ""}
        for name, content in files.items():
            (folder / name).write_text(content)
        self.run("git", "init", "-q", "-b", "main")
        self.run("dvc", "init", "-q")
        self.run("dvc", "repro")
        self.commit("start")


def table(clone: Free, *options: str) -> list[tuple[str, str, str, str]]:
    """Run, setting, seeds and mean of each line that `reidpipe seeds` writes."""
    clone.run("python", "-c", "from reidpipe.cli import main; main()", "seeds", "mAP", *options)
    with (clone.folder / "reports/seeds/mAP.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [(row["run"], row["setting"], row["seeds"], row["mean"]) for row in rows]


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Free:
    made = Free(tmp_path / "repository")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    return made


def test_the_commit_and_its_experiments_by_setting(clone: Free) -> None:
    for changes in (["seed=1"], ["seed=2"], ["seed=0", "attention=eca"], ["seed=1"]):
        clone.run("git", "checkout", "-q", ".")
        options = [part for change in changes for part in ("-S", change)]
        clone.run("dvc", "exp", "run", *options)
    clone.run("dvc", "exp", "run", "-S", "attention=eca")
    expected = [
        ("base", "", "0 1 2", "41.0"),
        ("ours", "attention=cbam", "0 1 2", "41.0"),
        ("ours", "attention=eca", "0 1", "45.5"),
    ]
    assert table(clone) == expected
    clone.run("git", "checkout", "-q", ".")
    clone.run("git", "commit", "-q", "--allow-empty", "-m", "another commit")
    assert table(clone, "--all-commits") == expected


@pytest.mark.parametrize(
    "part",
    [
        ["evaluate@ours"],
        ["--temp", "evaluate@ours"],
        ["train@base", "evaluate@ours"],
        ["extract@base", "evaluate@ours"],
    ],
)
def test_what_an_experiment_did_not_run_does_not_count(clone: Free, part: list[str]) -> None:
    for seed in (7, 8):
        clone.run("git", "checkout", "-q", ".")
        clone.run("dvc", "exp", "run", "-S", f"seed={seed}", *part)
    assert table(clone) == [("ours", "", "0 7 8", "45.0")]


@pytest.mark.parametrize("stage", ["evaluate", "train"])
def test_a_stage_alone_is_no_result(clone: Free, stage: str) -> None:
    clone.run("dvc", "exp", "run", "-S", "seed=7", "-s", "resolve", f"{stage}@ours")
    command = ("python", "-c", "from reidpipe.cli import main; main()", "seeds", "mAP")
    refused = clone.run(*command, check=False)
    assert refused.returncode == 2
    assert "no two experiments" in refused.stderr

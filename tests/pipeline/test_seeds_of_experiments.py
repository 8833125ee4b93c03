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
  evaluate:
    cmd: python evaluate.py
    params: [{plan.json: [train.ours]}]
    metrics: [reports/metrics/ours.json: {cache: false}]
"""
RESOLVE = """
import json, re
text = open("params.yaml").read()
seed = int(re.search(r"seed: (\\d)", text)[1])
network = {"attention": "eca", "k": 3} if "eca" in text else {"attention": "cbam"}
plan = {"train": {"ours": {"network": network, "seed": seed, "code": "a"}}}
plan |= {stage: {"ours": {"code": "b"}} for stage in ("extract", "evaluate")}
json.dump(plan, open("plan.json", "w"))
"""
EVALUATE = """
import json
run = json.load(open("plan.json"))["train"]["ours"]
value = 40.0 + run["seed"] + 5 * (run["network"]["attention"] == "eca")
json.dump({"mAP": value}, open("reports/metrics/ours.json", "w"))
"""


class Free(Clone):
    """A repository of one metric, 40 + seed, and 5 more with eca."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "reports/metrics").mkdir(parents=True)
        files = {"params.yaml": PARAMS, "dvc.yaml": PIPELINE, "evaluate.py": EVALUATE}
        files["resolve.py"] = RESOLVE
        for name, content in files.items():
            (folder / name).write_text(content)
        self.run("git", "init", "-q", "-b", "main")
        self.run("dvc", "init", "-q")
        self.run("dvc", "repro")
        self.commit("start")


def test_the_commit_and_its_experiments_by_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(__file__).parents[2]
    clone = Free(tmp_path / "repository")
    for changes in (["seed=1"], ["seed=2"], ["seed=0", "attention=eca"], ["seed=1"]):
        clone.run("git", "checkout", "-q", ".")
        options = [part for change in changes for part in ("-S", change)]
        clone.run("dvc", "exp", "run", *options)
    clone.run("dvc", "exp", "run", "-S", "attention=eca")
    monkeypatch.setenv("PYTHONPATH", str(root))
    clone.run("python", "-c", "from reidpipe.cli import main; main()", "seeds", "mAP")
    with (clone.folder / "reports/seeds/mAP.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = [(row["setting"], row["seeds"], row["mean"], row["std"]) for row in rows]
    assert found == [
        ("attention=cbam", "0 1 2", "41.0", "1.0"),
        ("attention=eca", "0 1", "45.5", "0.7071067811865476"),
    ]

"""`reidpipe seeds` on experiments that DVC itself has run, with a stage that costs nothing."""

import csv
from pathlib import Path

import pytest

from tests.pipeline.clone import Clone

pytestmark = pytest.mark.slow

PARAMS = "profile: embedded\nattention: cbam\nseed: 0\n"
PIPELINE = """
stages:
  params:
    cmd: echo checked > schema.txt
    deps: [params.yaml]
    outs: [schema.txt: {cache: false}]
  evaluate:
    cmd: python evaluate.py
    deps: [evaluate.py, schema.txt]
    params: [seed, attention]
    metrics: [reports/metrics/ours.json: {cache: false}]
"""
EVALUATE = """
import json, re
text = open("params.yaml").read()
value = 40.0 + int(re.search(r"seed: (\\d)", text)[1]) + 5 * ("eca" in text)
json.dump({"mAP": value}, open("reports/metrics/ours.json", "w"))
"""


class Free(Clone):
    """A repository of one metric, 40 + seed, and 5 more with eca."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "reports/metrics").mkdir(parents=True)
        files = {"params.yaml": PARAMS, "dvc.yaml": PIPELINE, "evaluate.py": EVALUATE}
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

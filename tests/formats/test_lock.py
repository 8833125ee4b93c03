"""Results of another revision: from git, else from DVC's cache wherever that lies."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml

from reidpipe.commands.scores import scores
from reidpipe.errors import UserError
from reidpipe.formats import queries, ranking
from reidpipe.formats.lock import without_commands
from reidpipe.formats.queries import Queries
from reidpipe.formats.ranking import Ranking
from reidpipe.formats.yaml import parsed
from reidpipe.runtime import git
from tests.fresh import ROOT

RANKING = Path("runs/one/ranking.npz")
SCORES = queries.FOLDER / "one.csv"
PIPELINE = """
stages:
  evaluate:
    cmd: "true"
    outs: [runs/one/ranking.npz]
"""


def run(*command: str) -> None:
    who = {
        f"GIT_{role}_{part}": "t@t"
        for role in ("AUTHOR", "COMMITTER")
        for part in ("NAME", "EMAIL")
    }
    environment = {**os.environ, **who, "DVC_NO_ANALYTICS": "1"}
    subprocess.run(command, check=True, capture_output=True, env=environment)


def write(precision: float) -> None:
    count = np.full(3, precision)
    rows, first = np.arange(3), np.zeros(3, np.int64)
    top, distance = np.zeros((3, 1), np.int64), np.zeros((3, 1), np.float32)
    ranking.write(RANKING, Ranking(rows, first, count, count, top, distance, num_query=3))


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A commit with a ranking in a cache outside of the repository, and other results since."""
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.chdir(folder)
    run("git", "init", "-q", "-b", "main")
    run("dvc", "init", "-q")
    run("dvc", "cache", "dir", str(tmp_path / "shared"))
    Path("dvc.yaml").write_text(PIPELINE)
    Path(".gitignore").write_text("/runs/\n")
    write(0.25)
    run("dvc", "commit", "-q", "-f")
    run("git", "add", "-A")
    run("git", "commit", "-q", "-m", "results")
    write(0.75)
    return folder


def test_a_cache_that_lies_elsewhere(repository: Path, tmp_path: Path) -> None:
    assert scores("HEAD:one").average_precision.tolist() == [0.25] * 3
    run("git", "worktree", "add", "-q", str(tmp_path / "tree"))
    os.chdir(tmp_path / "tree")
    assert scores("HEAD:one").first_match.tolist() == [1] * 3


def test_what_git_has_needs_no_cache() -> None:
    found = Queries(np.arange(3), np.full(3, 0.5), np.full(3, 0.5), np.full(3, 2))
    queries.write(SCORES, found)
    run("git", "add", "-A")
    run("git", "commit", "-q", "-m", "scores")
    assert scores("HEAD:one").average_precision.tolist() == [0.5] * 3


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such output"):
        scores("HEAD:two")
    (tmp_path / "shared").rename(tmp_path / "gone")
    with pytest.raises(UserError, match="not in the cache") as caught:
        scores("HEAD:one")
    assert str(tmp_path / "shared") in str(caught.value)
    with pytest.raises(UserError, match="no such revision"):
        git.resolve("elsewhere")


def test_outside_of_a_repository_nobody_is_told_to_fetch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for ask in (lambda: git.resolve("HEAD"), lambda: git.show("HEAD", "dvc.lock")):
        with pytest.raises(UserError) as caught:
            ask()
        assert caught.value.details["fix"] == "run it in a clone of the repository"


def test_commands_are_taken_from_the_stages_that_were_named_alone() -> None:
    text = (ROOT / "dvc.lock").read_text()
    named = {"train@market1501-tri", "report"}
    before, after = (parsed(t.encode(), "", "") for t in (text, without_commands(text, named)))
    assert list(after["stages"]) == list(before["stages"]), "DVC writes an entry where it stood"
    assert [name for name, entry in after["stages"].items() if entry["cmd"] == ""] == sorted(
        named, reverse=True
    )
    for name in named:
        after["stages"][name]["cmd"] = before["stages"][name]["cmd"]
    assert after == before
    assert without_commands(text, set()) == text


def test_a_command_may_have_any_form() -> None:
    forms = {"long": "word " * 40, "list": ["one", "two"], "text": "one\ntwo\n", "only": "one"}
    stages = {name: {"cmd": cmd, "deps": [{"path": "cmd:"}]} for name, cmd in forms.items()}
    del stages["only"]["deps"]
    text = yaml.safe_dump({"schema": "2.0", "stages": stages, "z": 1}, sort_keys=False)
    for name in forms:
        expected = {**stages, name: {**stages[name], "cmd": ""}}
        assert parsed(without_commands(text, {name}).encode(), "", "")["stages"] == expected

"""The workspace as one commit: all that git would see of it, and nothing changed by that."""

import os
import subprocess
from pathlib import Path

import pytest

from reidpipe.commands.spread.job import LARGEST, REF, Job, bundle, prefix, snapshot
from reidpipe.errors import UserError


def git(*arguments: str, folder: Path | None = None) -> str:
    own = ["-C", str(folder)] if folder else []
    who = ["-c", "user.name=t", "-c", "user.email=t@t"]
    return subprocess.run(
        ["git", *own, *who, *arguments], check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture(params=["", "project"])
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, the root of its repository or a folder in it."""
    repository = tmp_path / "a repository"
    root = repository / str(request.param)
    root.mkdir(parents=True)
    git("init", "-q", str(repository))
    (root / "kept").write_text("one\n")
    (root / "gone").write_text("two\n")
    (root / ".gitignore").write_text("ignored\n")
    git("add", "-A", folder=repository)
    git("commit", "-qm", "start", folder=repository)
    monkeypatch.chdir(root)
    return root


def files(commit: str) -> dict[str, str]:
    names = git("ls-tree", "-r", "--name-only", "--full-tree", "-z", commit).split("\0")
    return {name: git("show", f"{commit}:{name}") for name in names if name}


def test_what_is_not_committed_is_in_it_and_stays_as_it_is(root: Path) -> None:
    (root / "kept").write_text("changed\n")
    (root / "gone").unlink()
    (root / "new file").write_text("new\n")
    (root / "ignored").write_text("no\n")
    (root / "staged").write_text("staged\n")
    git("add", "staged")
    before = git("status", "--porcelain")
    found = files(snapshot())
    own = {f"{prefix()}{name}" for name in ("kept", "new file", "staged", ".gitignore")}
    assert found.keys() == own
    assert found[f"{prefix()}kept"] == "changed\n"
    assert git("status", "--porcelain") == before
    assert git("log", "--oneline").count("\n") == 1
    assert not git("for-each-ref", REF)


def test_equal_files_are_one_commit(root: Path) -> None:
    first = snapshot()
    (root / "kept").write_text("other\n")
    assert snapshot() != first
    (root / "kept").write_text("one\n")
    os.utime(root / "kept")
    assert snapshot() == first


def test_a_file_can_take_another_s_place(root: Path, tmp_path: Path) -> None:
    (tmp_path / "instead").write_text("instead\n")
    found = files(snapshot({"kept": tmp_path / "instead", "made": tmp_path / "instead"}))
    assert found[f"{prefix()}kept"] == found[f"{prefix()}made"] == "instead\n"
    assert (root / "kept").read_text() == "one\n"


def test_data_beside_the_code_is_refused(root: Path) -> None:
    with (root / "large").open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(UserError, match="too large") as caught:
        snapshot()
    assert "large" in str(caught.value)
    (root / ".gitignore").write_text("large\n")
    assert snapshot()


def test_another_repository_gets_it_from_the_bundle(root: Path, tmp_path: Path) -> None:
    (root / "new").write_text("new\n")
    commit = snapshot()
    (tmp_path / "bundle").write_bytes(bundle(commit))
    git("init", "-q", str(tmp_path / "other"))
    git("fetch", "-q", str(tmp_path / "bundle"), f"{REF}:{REF}", folder=tmp_path / "other")
    assert git("rev-parse", REF, folder=tmp_path / "other").strip() == commit
    assert not git("for-each-ref", REF)


def test_a_folder_without_git_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="cannot be handed"):
        snapshot()


def test_a_job_is_read_as_it_was_written(tmp_path: Path) -> None:
    job = Job("c", "project/", "", ["train@a"], "[core]\n", {"GOMP_SPINCOUNT": "0"})
    job.write(tmp_path, b"content")
    assert Job.read(tmp_path) == job
    assert (tmp_path / "snapshot.bundle").read_bytes() == b"content"
    assert job.by_remote

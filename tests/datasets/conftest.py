"""Where the archives of a test lie."""

from pathlib import Path

import pytest


@pytest.fixture
def archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that REIDPIPE_ARCHIVES names, below the folder that the test runs in."""
    folder = tmp_path / "archives"
    folder.mkdir()
    monkeypatch.setenv("REIDPIPE_ARCHIVES", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder

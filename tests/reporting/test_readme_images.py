"""The README's pictures: small, from the report's figures, and never of real people."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "docs/images/draw.py"
NAMES = ["attention.jpg", "cmc.svg", "cost.svg", "ranks.jpg"]


def drawn(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def figures(reported: Path, tmp_path: Path) -> Path:
    """A folder with what the script reads."""
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/figures").symlink_to(reported / "reports/figures")
    (tmp_path / "params.yaml").write_text((reported / "params.yaml").read_text())
    return tmp_path


def test_all_are_small(figures: Path) -> None:
    result = drawn(figures)
    assert (result.returncode, result.stderr) == (0, "")
    images = {path.name: path.stat().st_size for path in (figures / "docs/images").iterdir()}
    assert sorted(images) == NAMES
    assert max(images.values()) < 150_000


def test_real_people_are_refused(figures: Path) -> None:
    params = figures / "params.yaml"
    params.write_text(params.read_text().replace("profile: embedded ", "profile: paper "))
    result = drawn(figures)
    assert result.returncode == 2
    assert "found:    paper" in result.stderr
    assert not (figures / "docs").exists()

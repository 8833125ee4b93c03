"""A temporary clone of the working tree with a tiny profile, driven by `dvc` as a user would."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Self

from tests import fresh

ROOT = Path(__file__).parents[2]
COPIED = (
    "reidpipe",
    "stages",
    "reports",
    "dvc.yaml",
    "params.yaml",
    "runs.yaml",
    "plan.json",
    "requirements.lock",
    ".dvcignore",
    ".gitignore",
)

# Seconds instead of minutes: fewer people, smaller pictures, one epoch.
TINY = {
    r"train_ids: \d+": "train_ids: 6",
    r"test_ids: \d+": "test_ids: 6",
    r"distractors: \d+": "distractors: 4",
    r"identities: (72|120)": "identities: 6",
    r"( )epochs: \d+": r"\1epochs: 1",
    r"(milestones:\n +)- \d+(?:\n +- \d+)*": r"\1- 1",
    r"- 64\n    - 32": "- 32\n    - 16",
    r"identities: 32( |\n)": r"identities: 3\1",
    r"batch_size: \d+": "batch_size: 8",
    r"height: 96": "height: 32",
    r"composed: 256": "composed: 32\n      batch_size: 8",
    r"pool: 512": "pool: 16",
    r"triplets: 16": "triplets: 2",
    r"pools: 10": "pools: 1",
    r"(rri|induced|falling)_epochs: \d+": r"\1_epochs: 1",
    r"falling_from: \d+": "falling_from: 0",
    r"images: 4 ": "images: 2 ",
    r"(  evaluate:\n)": r"\1    bootstrap: {samples: 100}\n",
}

OTHERS = re.compile(
    r"^  (dukemtmc-(svdnet|gpreid|pcb|aacn|ianet|dare|rpp|hac|dpfl|osnet)"
    r"|msmt17-(pcb|ianet|osnet)):.*\n",
    re.MULTILINE,
)
"""Lines of runs.yaml: a system's runs on its second and third data set."""


REIDPIPE = ("python", "-c", "from reidpipe.cli import main; main()")
"""The script of that name has the package that is installed."""


class Clone:
    """A git and DVC repository of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        for name in COPIED:
            source = ROOT / name
            ignored = shutil.ignore_patterns("__pycache__", "figures", "index.html")
            if source.is_dir():
                shutil.copytree(source, folder / name, symlinks=True, ignore=ignored)
            else:
                shutil.copy(source, folder / name)
        for results in ("metrics", "cmc", "queries"):
            shutil.rmtree(folder / "reports" / results, ignore_errors=True)
        self.shrink()
        self.run("git", "init", "-q", "-b", "main")
        self.run("dvc", "init", "-q")
        shutil.copy(ROOT / ".dvc/config", folder / ".dvc/config")
        shutil.copytree(ROOT / ".dvc/plots", folder / ".dvc/plots", dirs_exist_ok=True)
        self.commit("start")

    @classmethod
    def at(cls, folder: Path) -> Self:
        """One that is there already."""
        clone = cls.__new__(cls)
        clone.folder = folder
        return clone

    def copy(self, folder: Path) -> Self:
        """The same repository, with its DVC cache, elsewhere."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return self.at(folder)

    def rebuild(self, folder: Path, *command: str) -> None:
        """A copy in which everything has run, by `dvc repro` or what is named."""
        clone = self.copy(folder)
        clone.run(*(command or ("dvc", "repro")))
        clone.commit("rebuilt")

    def reidpipe(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Our command, of the clone's own code."""
        return self.run(*REIDPIPE, *arguments, check=check)

    def shrink(self) -> None:
        """Replace the embedded profile's sizes (all that stands before the paper profile's)."""
        path = self.folder / "params.yaml"
        embedded, paper = path.read_text().split("\npaper:")
        for pattern, tiny in TINY.items():
            embedded, count = re.subn(pattern, tiny, embedded)
            assert count, f"params.yaml has no {pattern!r}: the clone would not be tiny"
        path.write_text(f"{embedded}\npaper:{paper}")

    def leave_others(self) -> None:
        """Have one run per system: as many kinds of them, and two thirds of the time."""
        path = self.folder / "runs.yaml"
        kept, count = OTHERS.subn("", path.read_text())
        assert count == 13, f"runs.yaml has {count} of the runs that are left out"
        path.write_text(kept)
        self.commit("a run per system")

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `command` in the clone, with this Python first on the path."""
        # The stages set the instructions themselves.
        around = fresh.environment().items()
        own = {key: value for key, value in around if not key.startswith("DVC_")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{own['PATH']}"
        git = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t", "GIT_CONFIG_NOSYSTEM": "1"}
        git |= {"GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@t"}
        result = subprocess.run(
            command,
            cwd=self.folder,
            env={**own, **git, "PATH": path, "OMP_NUM_THREADS": "1", "DVC_NO_ANALYTICS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if check and result.returncode != 0:
            raise AssertionError(f"{command}: {result.returncode}\n{result.stdout}{result.stderr}")
        return result

    def commit(self, message: str) -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "-m", message)

    def read(self, name: str) -> str:
        return (self.folder / name).read_text()

    def state(self) -> str:
        """What git sees as changed."""
        return self.run("git", "status", "--porcelain").stdout


def stages_run(output: str) -> list[str]:
    """Names of the stages that DVC says it ran."""
    return sorted(re.findall(r"Running stage '([^']+)'", output))

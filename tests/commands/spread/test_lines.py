"""The lines for SLURM, run by a shell in which `sbatch` does at once what it is given."""

import os
import subprocess
from pathlib import Path

import pytest

from reidpipe.commands.spread import lines
from reidpipe.commands.spread.cluster import Order, Room
from reidpipe.commands.spread.tasks import Task

SBATCH = """#!/usr/bin/env python3
import subprocess, sys, os
options = dict(word.split("=", 1) for word in sys.argv[1:] if word.startswith("--") and "=" in word)
first, last = options["--array"].split("-")
number = str(100 + len(open("calls").readlines()) if os.path.exists("calls") else 100)
print(" ".join(sys.argv[1:]), file=open("calls", "a"))
for index in range(int(first), int(last) + 1):
    own = {**os.environ, "SLURM_ARRAY_TASK_ID": str(index)}
    subprocess.run(sys.argv[-1], shell=True, check=True, env=own)
print(number)
"""


def order(name: str, needs: frozenset[str] = frozenset(), gpus: float = 0) -> Order:
    task = Task(name, (f"train@{name}",), ("split@d",), tuple(sorted(needs)))
    return Order(name, "workspace", task, needs, Room(2, gpus))


ORDERS = [
    order("data@d"),
    order("weights@w"),
    order("a", frozenset({"data@d", "weights@w"}), gpus=1),
    order("it's b", frozenset({"data@d"}), gpus=1),
    order("c", frozenset({"a"}), gpus=0.5),
]


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What `sbatch` was called with; `done` has the names of the tasks that were started."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lines, "command", lambda order: f'echo "{order.name}" >> done')
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sbatch").write_text(SBATCH)
    (tmp_path / "bin/sbatch").chmod(0o755)
    path = {**os.environ, "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    script = "\n".join(lines.lines(ORDERS))
    subprocess.run(["sh", "-eu"], input=script, text=True, check=True, env=path)
    return (tmp_path / "calls").read_text().splitlines()


def test_every_task_is_started_once_after_those_that_it_needs(calls: list[str]) -> None:
    done = Path("done").read_text().splitlines()
    assert sorted(done) == sorted(order.name for order in ORDERS)
    for each in ORDERS:
        assert all(done.index(need) < done.index(each.name) for need in each.needs)


def test_each_array_waits_for_those_of_the_level_before(calls: list[str]) -> None:
    assert len(calls) == 3
    assert "--dependency" not in calls[0]
    assert "--dependency=afterok:100" in calls[1]
    assert "--dependency=afterok:101" in calls[2]


def test_tasks_take_what_they_need_of_a_node(calls: list[str]) -> None:
    assert "--gpus-per-task" not in calls[0]
    assert "--array=1-2 --cpus-per-task=2 --gpus-per-task=1 " in calls[1]
    assert "--gpus-per-task=0.5" in calls[2]


def test_what_a_node_runs_names_the_program_and_its_stages() -> None:
    words = lines.command(ORDERS[2])
    assert "-m reidpipe.commands.spread.work .dvc/tmp/spread workspace a split@d train@a" in words

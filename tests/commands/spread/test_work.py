"""The program that does a task: alone in its folder, and with all that it started when it ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from configobj import ConfigObj

from reidpipe.commands.spread.work import alone, with_cache
from tests.fresh import ROOT, environment

CHILD = """
import sys, time
from pathlib import Path
from reidpipe.commands.spread import work
class Slow(work._Group):
    def go(self, program):
        self._run([sys.executable, "-c", program], Path(), {})
import threading, signal
with work.alone(Path("task")) as held:
    group = Slow(held)
    signal.signal(signal.SIGTERM, lambda *_: group.end())
    threading.Thread(target=group.end_with, args=(0,), daemon=True).start()
    group.go(sys.argv[1])
"""
SAVES = """
import os, signal, subprocess, sys, time
from pathlib import Path
def save(*_):
    time.sleep(0.3)
    Path("saved").touch()
    os._exit(3)
if len(sys.argv) > 1:
    signal.signal(signal.SIGTERM, save)
    Path("started").write_text(str(os.getpid()))
    time.sleep(60)
else:  # as DVC: it dies at once, what it has started takes its time
    code = Path("saves.py").read_text()
    subprocess.run([sys.executable, "saves.py", "below"])
"""


@pytest.fixture
def start(tmp_path: Path) -> Callable[[], "subprocess.Popen[bytes]"]:
    """Starts a task, whose process has one below it."""
    (tmp_path / "saves.py").write_text(SAVES)

    def started() -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "-c", CHILD, "import runpy; runpy.run_path('saves.py')"],
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            env=environment(PYTHONPATH=str(ROOT)),
        )
        until(lambda: (tmp_path / "started").exists() and (tmp_path / "started").read_text())
        return process

    return started


def until(true: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return b"State:\tZ" not in Path(f"/proc/{pid}/status").read_bytes()


@pytest.mark.parametrize("how", ["the pipe is closed", "it is asked to"])
def test_it_ends_after_all_that_it_started(
    start: Callable[[], "subprocess.Popen[bytes]"], how: str, tmp_path: Path
) -> None:
    process = start()
    below = int((tmp_path / "started").read_text())
    assert process.stdin
    if how == "it is asked to":
        process.send_signal(signal.SIGTERM)
    else:
        process.stdin.close()
    status = process.wait(20)
    assert status >= 128
    assert (tmp_path / "saved").exists()
    assert not lives(below)


def test_whoever_comes_next_waits_for_what_a_killed_one_left(
    start: Callable[[], "subprocess.Popen[bytes]"], tmp_path: Path
) -> None:
    process = start()
    below = int((tmp_path / "started").read_text())
    process.kill()
    process.wait()
    # Its process group goes on, and holds the folder until it ends.
    parent = int(Path(f"/proc/{below}/stat").read_text().split(")")[1].split()[1])
    os.kill(below, signal.SIGTERM)
    with alone(tmp_path / "task"):
        assert (tmp_path / "saved").exists()
        until(lambda: not lives(parent))


def test_the_cache_alone_is_changed_in_a_configuration(tmp_path: Path) -> None:
    """As DVC itself reads it."""
    theirs = """[core]
    remote = a store
[cache]
    shared = group
    dir = elsewhere
['remote "a store"']
    url = s3://bucket/path%20with
    password = a=b;c#d
"""
    before, after = (
        ConfigObj(theirs.splitlines()),
        ConfigObj(with_cache(theirs, "/the cache").splitlines()),
    )
    assert after.pop("cache") == {
        "shared": "group",
        "dir": "/the cache",
        "type": ["reflink", "hardlink", "symlink", "copy"],
    }
    del before["cache"]
    assert after == before
    assert ConfigObj(with_cache("", "x").splitlines())["cache"]["dir"] == "x"

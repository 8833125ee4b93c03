"""A program: does one task of a job in a checkout of its own.

    python -m reidpipe.commands.spread.work PLACE JOB TASK STAGE [STAGE ...]

PLACE has `jobs/JOB` (job.py) and gets `tasks/JOB/TASK`, the checkout, which stays until the
task has ended well: a later attempt finds there how far a training had come. All that is said goes
to standard output. With --held it ends, with all that it has started, when its standard input
does: so nothing goes on where whoever asked for it was killed.
"""

import argparse
import fcntl
import io
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from configparser import ConfigParser
from contextlib import contextmanager, suppress
from pathlib import Path

from reidpipe.commands.spread.job import REF, Job
from reidpipe.errors import reported
from reidpipe.files import write_text
from reidpipe.formats import lock

LINKS = "reflink,hardlink,symlink,copy"
"""How outputs come out of the cache: several checkouts take the room of one."""
GRACE = 60.0
"""Seconds that a training has to save its state before it is killed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--held", action="store_true")
    parser.add_argument("place", type=Path)
    parser.add_argument("job")
    parser.add_argument("task")
    parser.add_argument("stages", nargs="+")
    asked = parser.parse_args()
    # Whoever gathers both wants them in the order in which they were said.
    os.dup2(sys.stdout.fileno(), sys.stderr.fileno())
    job = Job.read(asked.place / "jobs" / asked.job)
    folder = asked.place / "tasks" / asked.job / asked.task
    with alone(folder) as held:
        group = _Group(held)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: group.end())
        if asked.held:
            threading.Thread(target=group.end_with, args=(sys.stdin.fileno(),), daemon=True).start()
        root = checkout(folder, job, asked.place / "jobs" / asked.job / "snapshot.bundle", group)
        cache = job.cache or str((asked.place / "cache").absolute())
        write_text(root / ".dvc/config.local", with_cache(job.config, cache))
        more = ["--pull"] if job.by_remote else []
        group.run(root, job, "repro", "--single-item", *more, *asked.stages)
        if job.by_remote:
            group.run(root, job, "push", "--run-cache", *asked.stages)
    shutil.rmtree(folder)


@contextmanager
def alone(folder: Path) -> Iterator[int]:
    """Wait until no other process works in `folder`; yield what keeps the others out."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("waits for an earlier attempt to end", flush=True)  # noqa: T201
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def checkout(folder: Path, job: Job, bundle: Path, group: "_Group") -> Path:
    """Bring the job's commit into `folder`; what git ignores there stays. Its root is returned."""
    if not (folder / ".git").is_dir():
        group.git("init", "--quiet", str(folder))
    group.git(
        "-C", str(folder), "fetch", "--quiet", "--force", str(bundle.absolute()), f"+{REF}:{REF}"
    )
    # An attempt that was killed can have left these, and nobody else works here.
    for left in (".git/index.lock", f"{job.prefix}.dvc/tmp/rwlock"):
        (folder / left).unlink(missing_ok=True)
    group.git("-C", str(folder), "checkout", "--quiet", "--force", "--detach", job.commit)
    group.git("-C", str(folder), "clean", "--quiet", "--force", "-d")
    root = folder / job.prefix
    path = root / lock.LOCK
    if path.exists():
        write_text(path, lock.without_commands(path.read_text(encoding="utf-8"), job.forgotten))
    return root


def with_cache(config: str, cache: str) -> str:
    """A configuration of DVC's whose cache is the folder `cache`."""
    # What `dvc config` would do, in a second for each value.
    found = ConfigParser(interpolation=None, delimiters="=")
    found.read_string(config)
    found.read_dict({"cache": {"dir": cache, "type": LINKS}})
    text = io.StringIO()
    found.write(text)
    return text.getvalue()


class _Group:
    """The processes that this one starts: a group of their own, so that all can be ended."""

    def __init__(self, held: int) -> None:
        self._held = held
        self._process: subprocess.Popen[bytes] | None = None
        self._ending = threading.Event()

    def git(self, *arguments: str) -> None:
        self._run(["git", *arguments], Path(), dict(os.environ))

    def run(self, root: Path, job: Job, *arguments: str) -> None:
        """A DVC command in a checkout, with this Python for its stages."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        # Ray sets it for its own workers; the stages have their threads from the plan.
        around = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
        self._run(
            [sys.executable, "-m", "dvc", *arguments],
            root,
            {**around, **job.environment, "PATH": path, "PYTHONUNBUFFERED": "1"},
        )

    def _run(self, command: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
        # Who kills this process and not those below it leaves them the lock.
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=(self._held,),
        )
        if self._ending.is_set():
            self.end()
        status = self._process.wait()
        if self._ending.is_set():
            self._outlive()
        if status != 0:
            # As a shell would say it: by it the caller tells what was killed from what failed.
            raise SystemExit(status if status > 0 else 128 - status)

    def end_with(self, stdin: int) -> None:
        """End all when nobody holds our standard input open any more."""
        while os.read(stdin, 1):
            pass
        self.end()

    def end(self) -> None:
        """Ask all to stop."""
        self._ending.set()
        self._signal(signal.SIGTERM)

    def _outlive(self) -> None:
        """Wait until none of the group is left; who takes too long is killed."""
        deadline = time.monotonic() + GRACE
        while self._signal(0):
            if time.monotonic() > deadline:
                self._signal(signal.SIGKILL)
            time.sleep(0.1)

    def _signal(self, number: int) -> bool:
        """Whether there was anyone to get it."""
        if self._process:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
                return True
        return False


if __name__ == "__main__":
    with reported():
        main()

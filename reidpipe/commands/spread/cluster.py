"""Tasks on a Ray cluster: as many at once as there is room, again where a machine was lost.

Ray is an extra of this package and is imported here alone.
"""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reidpipe.commands.spread.job import Job
from reidpipe.commands.spread.tasks import Task
from reidpipe.errors import UserError

ATTEMPTS = 4
"""Times that a task is begun where machines or processes are lost."""
SCRATCH = "REIDPIPE_SCRATCH"
"""Variable of a node: its folder for tasks, where it does not see the workspace."""
_LOST = 128
"""A status from here on is a signal's: the process was ended, it did not fail."""
_STATUS = re.compile(r"exited with (-?\d+)$")
"""How DVC tells that of a stage; its own status is 255 whatever happened."""
_INTERVAL = 0.5


@dataclass(frozen=True)
class Room:
    """What a task takes of a node."""

    cpus: float
    gpus: float


@dataclass(frozen=True)
class Order:
    """A task with what it is a part of."""

    name: str
    """Of the task among all jobs."""
    job: str
    task: Task
    needs: frozenset[str]
    room: Room


@dataclass(frozen=True)
class Event:
    """What happened to an order."""

    name: str
    kind: str
    """began, said, ended, failed or left out."""
    text: str = ""


@contextmanager
def cluster(address: str, at_once: int) -> Iterator[None]:
    """Ray, there already at `address` or, without one, started here for `at_once` tasks.

    Raises:
        UserError: Ray is not installed, or nothing answers at the address.
    """
    # Before its import: it would tell its makers that it is used.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray  # noqa: PLC0415
    except ImportError:
        raise UserError(
            "Ray is not installed",
            expected="the extra spread",
            fix="pip install 'reidpipe[spread]', or --lines for a cluster without Ray",
        ) from None
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    own = {"num_cpus": at_once, "include_dashboard": False, "object_store_memory": 100 << 20}
    try:
        ray.init(address or "local", **quiet, **({} if address else own))
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UserError(
            "the cluster cannot be reached",
            where=f"--address {address}" if address else "Ray on this machine",
            found=str(error).partition("\n")[0],
            fix="ray start --head starts one, ray status looks for it",
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def nodes() -> list[Mapping[str, float]]:
    """What each node of the cluster has in all."""
    import ray  # noqa: PLC0415

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def spread(
    orders: Sequence[Order], jobs: Mapping[str, tuple[Job, bytes]], place: Path
) -> Iterator[Event]:
    """Do all orders; what needs a failed one is left out, the others go on.

    `place` is the folder of jobs and checkouts, for nodes that see it.
    """
    import ray  # noqa: PLC0415

    board = ray.remote(num_cpus=0)(_Board).remote()
    sent = {name: ray.put((job, content)) for name, (job, content) in jobs.items()}
    waiting = {order.name: order for order in orders}
    ended, lost = set[str](), set[str]()
    running: dict[Any, str] = {}
    _check_room(orders)
    do = ray.remote(max_retries=ATTEMPTS - 1, retry_exceptions=[LostError])(_do)
    try:
        while waiting or running:
            for name, order in [*waiting.items()]:
                if order.needs & lost:
                    del waiting[name]
                    lost.add(name)
                    yield Event(name, "left out", f"needs {', '.join(sorted(order.needs & lost))}")
                elif order.needs <= ended:
                    del waiting[name]
                    options = {"num_cpus": order.room.cpus, "num_gpus": order.room.gpus}
                    where = str(place.absolute()), board
                    reference = do.options(name=name, **options).remote(
                        order, sent[order.job], *where
                    )
                    running[reference] = name
            done, _ = ray.wait([*running], timeout=_INTERVAL) if running else ([], [])
            # What was said before the end is told before it.
            for name, kind, text in ray.get(board.taken.remote()):
                yield Event(name, kind, text)
            for reference in done:
                name = running.pop(reference)
                try:
                    ray.get(reference)
                except (ray.exceptions.RayError, FailedError, LostError) as error:
                    lost.add(name)
                    yield Event(name, "failed", _reason(error))
                else:
                    ended.add(name)
                    yield Event(name, "ended")
    finally:
        for reference in running:
            ray.cancel(reference, force=False)


class LostError(Exception):
    """The processes of a task were ended from outside."""


class FailedError(Exception):
    """A task ended with an error of its own."""


class _Board:
    """What tasks say, until the head asks for it."""

    def __init__(self) -> None:
        self._said: list[tuple[str, str, str]] = []

    def say(self, name: str, kind: str, text: str = "") -> None:
        self._said.append((name, kind, text))

    def taken(self) -> list[tuple[str, str, str]]:
        said, self._said = self._said, []
        return said


def _do(order: Order, sent: tuple[Job, bytes], place: str, board: Any) -> None:
    """On a node: run the program `work`, and tell the board every line that it says."""
    (job, content), name, task, folder = sent, order.name, order.task, Path(place)
    if job.by_remote:
        folder = Path(os.environ.get(SCRATCH) or place)
        own = folder / "jobs" / order.job
        if not (own / "job.json").exists() or Job.read(own) != job:
            job.write(own, content)
    command = [sys.executable, "-m", "reidpipe.commands.spread.work", "--held", str(folder)]
    command += [order.job, task.name, *task.first, *task.stages]
    board.say.remote(name, "began", socket.gethostname())
    # The program ends when the pipe does, which this process holds: with it, however it ends.
    reading, writing = os.pipe()
    with subprocess.Popen(
        command,
        stdin=reading,
        stdout=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        os.close(reading)
        try:
            said = None
            for line in process.stdout or ():
                board.say.remote(name, "said", line.rstrip())
                said = _STATUS.search(line.rstrip()) or said
        finally:
            os.close(writing)
    status = int(said[1]) if said and process.returncode else process.returncode
    if status < 0 or status >= _LOST:
        raise LostError(f"status {status}")
    if status:
        raise FailedError(f"status {status}")


def _check_room(orders: Sequence[Order]) -> None:
    """A task that no node can ever take would wait for good."""
    there = nodes()
    for order in orders:
        cpus, gpus = order.room.cpus, order.room.gpus
        if not any(n.get("CPU", 0) >= cpus and n.get("GPU", 0) >= gpus for n in there):
            raise UserError(
                "no machine of the cluster is large enough for a task",
                where=order.name,
                expected=f"{cpus:g} CPUs and {gpus:g} GPUs on one node",
                found=", ".join(
                    f"{n.get('CPU', 0):g} CPUs and {n.get('GPU', 0):g} GPUs" for n in there
                ),
                fix="--gpus-per-run, or train.device and train.devices of the profile",
            )


def _reason(error: Exception) -> str:
    return str(getattr(error, "cause", None) or error).strip().rpartition("\n")[2]

"""The same tasks as lines for SLURM, for a cluster without Ray whose nodes see the workspace."""

import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from reidpipe.commands.spread.cluster import Order
from reidpipe.commands.spread.job import PLACE
from reidpipe.files import write_text

WORK = "reidpipe.commands.spread.work"


def lines(orders: Sequence[Order]) -> Iterator[str]:
    """A script: an array of jobs per level, each waiting for the one before; the lists are files.

    The tasks of a level need none of each other. Those of one array take the same of a node.
    """
    yield "#!/bin/sh"
    yield "# Each array waits for those before it. Then, in the workspace: reidpipe spread --gather"
    yield f"cd {shlex.quote(str(Path.cwd()))} || exit"
    before = ""
    for number, level in enumerate(_levels(orders)):
        rooms = sorted({order.room for order in level}, key=lambda room: (room.gpus, room.cpus))
        arrays: list[str] = []
        for room in rooms:
            name = f"array{number}_{len(arrays)}"
            own = [order for order in level if order.room == room]
            path = PLACE / "lines" / f"{name}.txt"
            write_text(path, "".join(f"{command(order)}\n" for order in own))
            gpus = f" --gpus-per-task={room.gpus:g}" if room.gpus else ""
            pick = f'sed -n "${{SLURM_ARRAY_TASK_ID}}p" {path} | sh'
            yield (
                f"{name}=$(sbatch --parsable --requeue --ntasks=1 --array=1-{len(own)} "
                f"--cpus-per-task={room.cpus:g}{gpus}{before} --wrap {shlex.quote(pick)})"
            )
            arrays.append(name)
        before = " --dependency=afterok:" + ":".join("$" + name for name in arrays)


def command(order: Order) -> str:
    """What a node runs for a task."""
    words = [sys.executable, "-m", WORK, str(PLACE), order.job, order.task.name]
    return shlex.join([*words, *order.task.first, *order.task.stages])


def _levels(orders: Sequence[Order]) -> list[list[Order]]:
    level: dict[str, int] = {}
    for order in orders:
        level[order.name] = 1 + max((level[name] for name in order.needs), default=-1)
    found: list[list[Order]] = [[] for _ in {*level.values()}]
    for order in orders:
        found[level[order.name]].append(order)
    return found

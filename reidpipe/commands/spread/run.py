"""From what is stale to what stands in the workspace."""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reidpipe.commands.spread import lines as slurm
from reidpipe.commands.spread.cluster import Order, cluster
from reidpipe.commands.spread.cluster import spread as on_cluster
from reidpipe.commands.spread.gather import gather
from reidpipe.commands.spread.job import PLACE
from reidpipe.commands.spread.planning import Part, orders, parts, threads
from reidpipe.commands.spread.screen import log_of, screen
from reidpipe.commands.spread.tasks import task_of
from reidpipe.errors import UserError
from reidpipe.plan.resolve import plan
from reidpipe.runtime.dvc import dvc

MEMORY = 2 << 30
"""Bytes for a task on this machine; the largest of the embedded profile holds 1.1 GiB."""
_SPIN = {"GOMP_SPINCOUNT": "0"}
"""Where there are more threads than cores, one that waits is to leave its core at once."""


@dataclass(frozen=True)
class Way:
    """How it is to be done; the command line has the same names."""

    address: str
    at_once: int
    gpus_per_run: float | None
    by_remote: bool
    dry: bool
    lines: bool
    gather: bool


def spread(runs: Sequence[str], sweeps: Sequence[str], way: Way) -> Iterator[str]:
    """Do what is stale of `runs` (all, without any), for each combination of `sweeps`.

    Yields what is asked for instead, by `dry` or `lines`.

    Raises:
        UserError: a name or value is wrong, a task failed, or DVC did.
    """
    alone = not (way.address or way.lines)
    cores, each = os.cpu_count() or 1, threads(plan())
    room = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MEMORY
    at_once = way.at_once or max(1, min(cores // each, room))
    crowded = _SPIN if alone and at_once * each > cores else {}
    made = parts(runs, sweeps, by_remote=way.by_remote, environment=crowded)
    all_orders = orders(made, way.gpus_per_run, alone=alone)
    if way.dry:
        for order in all_orders:
            yield _line(order)
        return
    if way.lines:
        _write(made)
        yield from slurm.lines(all_orders)
        return
    if all_orders and not way.gather:
        _do(made, all_orders, way, at_once)
    for part in made:
        gather(part, [task_of(name) for name in runs], by_remote=way.by_remote)


def _do(made: Sequence[Part], all_orders: Sequence[Order], way: Way, at_once: int) -> None:
    """All tasks, to their end.

    Raises:
        UserError: one failed; the others are done all the same.
    """
    if way.by_remote:  # what is up to date here comes to the nodes from there
        dvc("push", "--run-cache")
    jobs = {
        part.name: (part.job, content) for part, content in zip(made, _write(made), strict=True)
    }
    try:
        with cluster(way.address, at_once), screen(len(all_orders)) as seen:
            for event in on_cluster(all_orders, jobs, PLACE):
                seen.take(event)
    except KeyboardInterrupt:
        print("the tasks save their state and end; the same command goes on", file=sys.stderr)  # noqa: T201
        raise
    if seen.failed:
        raise UserError(
            "not all tasks have ended well",
            where="\n".join(f"{name}: {log_of(name)}" for name in sorted(seen.failed)),
            found="\n".join(f"{name}: {seen.failed[name]}" for name in sorted(seen.failed)),
            fix="mend what the logs name, then the same command: what has ended is kept",
        )


def _write(made: Sequence[Part]) -> list[bytes]:
    return [part.write() for part in made]


def _line(order: Order) -> str:
    room, own = order.room, " ".join(order.task.stages)
    takes = f"{room.cpus:g} CPUs" + (f", {room.gpus:g} GPUs" if room.gpus else "")
    after = f", after {', '.join(sorted(order.needs))}" if order.needs else ""
    return f"{order.name}: {own} ({takes}{after})"

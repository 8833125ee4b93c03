"""How long the runs of the paper profile would take on 1, 8 and 64 GPUs, and how well filled.

    python -m benchmarks.spread [GPUS ...]

Measured here: a training step of each network, as `reidpipe doctor` does it, on this CPU. Taken
from docs/scaling.md: the images per second of Ours on an H100, by which the seconds of this CPU are
made those of that GPU. So the shares of the runs are measured, and it is assumed that a GPU has the
same ones. Extraction, evaluation and the waiting for files count nothing. The tasks, what each
needs, and the order in which they are handed out are those of `reidpipe spread`.

Prints a JSON line per run, then one per number of GPUs.
"""

import heapq
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from reidpipe.runtime.process import settle

settle()

import torch

from reidpipe.commands.doctor.inputs import data_set
from reidpipe.commands.doctor.training import largest, seen, step_cost
from reidpipe.commands.spread.tasks import Task, graph, tasks
from reidpipe.formats import params
from reidpipe.formats.plan import written
from reidpipe.plan.resolve import plan
from reidpipe.runtime import machine
from reidpipe.runtime.settings import Cluster
from reidpipe.systems import recipe

ANCHOR, RATE = "market1501-ours", 781.0
"""A run, and the images per second of its training on one H100 (docs/scaling.md)."""


def main() -> None:
    counts = [int(word) for word in sys.argv[1:]] or [1, 8, 64]
    hours = by_run()
    for name, own in hours.items():
        print(json.dumps({"run": name, "hours": round(own, 2)}))
    stages = graph()
    found = tasks(stages, stages)
    longest = chain(found, hours)
    for count in counts:
        whole = span(found, hours, count)
        filled = sum(hours.values()) / (count * whole)
        print(
            json.dumps(
                {
                    "gpus": count,
                    "hours": round(whole, 1),
                    "filled": round(filled, 2),
                    "longest_chain_hours": round(longest, 1),
                }
            )
        )


def by_run() -> dict[str, float]:
    """Hours of each training on the GPU of the anchor."""
    profile = params.load(profile="paper")
    made: Mapping[str, Any] = plan(profile="paper")["train"]
    device = machine.prepare("cpu", None)
    images = {
        name: data_set(name, profile, params.PARAMS_FILE.parent)[1] for name in written()["split"]
    }
    per_image: dict[str, float] = {}
    seconds = {}
    for name, entry in made.items():
        own = recipe(entry["system"], entry["recipe"])
        alike = repr((entry["system"], entry["network"], own.image_size, largest(own)))
        if alike not in per_image:
            where = Cluster.model_validate({**entry["machine"], "precision": "fp32"})
            per_image[alike] = step_cost(entry, own, where, device)[0] / largest(own)
            print(f"{name}: {per_image[alike]:.3f} s per image here", file=sys.stderr, flush=True)
        seconds[name] = per_image[alike] * seen(own, images[entry["dataset"]].train)
        if name == ANCHOR:
            factor = 1 / (RATE * per_image[alike])
    return {name: own * factor / 3600 for name, own in seconds.items()}


def span(found: Sequence[Task], hours: Mapping[str, float], count: int) -> float:
    """Hours until all is done, each task beginning on the first free GPU when its needs are met."""
    ended: dict[str, float] = {}
    waiting = list(found)
    running: list[tuple[float, str]] = []
    now, free = 0.0, count
    while waiting or running:
        for task in [*waiting]:
            if free and all(ended.get(need, float("inf")) <= now for need in task.needs):
                waiting.remove(task)
                cost = hours.get(task.name, 0.0)
                free -= 1
                heapq.heappush(running, (now + cost, task.name))
        now, name = heapq.heappop(running)
        ended[name] = now
        free += 1
    return now


def chain(found: Sequence[Task], hours: Mapping[str, float]) -> float:
    """Hours of the longest row of tasks that must follow each other: fewer are not possible."""
    end: dict[str, float] = {}
    for task in found:
        before = max((end[need] for need in task.needs), default=0.0)
        end[task.name] = before + hours.get(task.name, 0.0)
    return max(end.values())


if __name__ == "__main__":
    torch.manual_seed(0)
    main()

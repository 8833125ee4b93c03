"""Whether this machine can run a profile, how long that would take, and what is missing."""

from collections.abc import Iterator
from pathlib import Path

from reidpipe.commands.doctor.finding import Finding, from_error
from reidpipe.commands.doctor.inputs import Sizes, data_set, weights
from reidpipe.commands.doctor.machine import machine, workers
from reidpipe.commands.doctor.storage import disk
from reidpipe.commands.doctor.training import kind, runs
from reidpipe.errors import UserError
from reidpipe.formats.params import Params
from reidpipe.plan.resolve import plan
from reidpipe.runtime.machine import prepare
from reidpipe.systems import recipe

__all__ = ["Finding", "examine"]


def examine(params: Params, root: Path = Path()) -> Iterator[Finding]:
    """Findings on the machine, then on what the runs of runs.yaml need, then on each run.

    Raises:
        UserError: runs.yaml cannot be read.
    """
    table = plan(root, profile=params.profile)["train"]
    where = params.active.machine
    try:
        device = prepare(where.device, where.threads, where.instructions)
    except UserError as error:
        device = None
        yield from_error("device", error)
    yield from machine(device, where)
    recipes = {name: recipe(run["system"], run["recipe"]) for name, run in table.items()}
    yield from workers(params.active, recipes.values())
    images: dict[str, Sizes] = {}
    for name in dict.fromkeys(run["dataset"] for run in table.values()):
        finding, images[name] = data_set(name, params, root)
        yield finding
    yield disk(table, images, params.active.evaluate.top_k, root)
    for role, source in params.active.weights.items():
        yield weights(role, source)
    if device:
        kinds = ", ".join(dict.fromkeys(map(kind, table.values())))
        yield Finding("steps", fine=True, found=f"measuring one each of {kinds}; a CPU takes long")
        yield from runs(table, recipes, images, device)

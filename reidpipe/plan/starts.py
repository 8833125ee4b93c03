"""What runs start from: weights, cells, pose branches, the ends of other runs."""

from collections.abc import Mapping
from typing import Any

from reidpipe.errors import UserError
from reidpipe.formats import runs as runs_file
from reidpipe.formats.params import PARAMS_FILE
from reidpipe.formats.runs import RANDOM, RUNS_FILE
from reidpipe.runtime.settings import follows

Entry = Mapping[str, Any]
AACN = "aacn"
"""The system that starts from a pose branch."""
RESNET = "resnet"


def check(name: str, run: Entry, start: Entry) -> None:
    """Refuse what a run cannot start from, which the training would find out after hours.

    Raises:
        UserError: the first weights are of another network, the cell is of other people, and so on.
    """
    if before := follows(run["system"]):
        _check_followed(name, run, start, before)
    elif "cell" in start:
        _check_cell(name, run, start)
    elif run["system"] == AACN or "pose" in start:
        _check_pose(name, run, start)
    elif "network" in start and _trunk(run) != _trunk(start):
        raise UserError(
            f"the run {name!r} starts from weights of another network",
            where=f"{RUNS_FILE}: runs.{name}.start: {run['start']}",
            expected=f"those of {_trunk(run)}",
            found=f"those of {_trunk(start)}",
            fix=f"{PARAMS_FILE}: systems and weights of the profile",
        )


def _check_cell(name: str, run: Entry, start: Entry) -> None:
    """A cell is what one system is made of, for the people that it was searched with."""
    if "cell" not in run["network"] or start["cell"] != run["dataset"]:
        raise UserError(
            f"the run {name!r} starts from a cell that is not for it",
            where=f"{RUNS_FILE}: runs.{name}.start: {run['start']}",
            expected=f"system: autoreid, and {runs_file.cell_file(run['dataset'])}",
            found=f"system: {run['system']}, dataset: {run['dataset']}",
        )


def _check_pose(name: str, run: Entry, start: Entry) -> None:
    """A pose branch is a part of one system, as large as it was trained."""
    if run["system"] != AACN or "pose" not in start:
        raise UserError(
            f"the run {name!r} starts from what is not for it",
            where=f"{RUNS_FILE}: runs.{name}.start: {run['start']}",
            expected=f"{runs_file.POSE_FILE} for the system {AACN}, and for no other",
            found=f"system: {run['system']}",
        )
    own = {key: run["network"][key] for key in start["pose"]}
    if own != start["pose"]:
        raise UserError(
            f"the run {name!r} starts from a pose branch of other sizes",
            where=f"{RUNS_FILE}: runs.{name}.options",
            expected=", ".join(f"{key}: {value}" for key, value in start["pose"].items()),
            found=", ".join(f"{key}: {value}" for key, value in own.items()),
            fix=f"{PARAMS_FILE}: systems.{AACN} of the profile, which the branch is trained by",
        )


def _check_followed(name: str, run: Entry, start: Entry, before: str) -> None:
    """A system that goes on where another ended takes all of its network."""

    def sizes(entry: Entry) -> dict[str, Any]:
        network = entry.get("network", {})
        numbers = {key: value for key, value in network.items() if type(value) is int}
        trunk = {"backbone": network.get("backbone")}
        found = {"system": entry.get("system"), "dataset": entry.get("dataset"), **trunk, **numbers}
        return {key: value for key, value in found.items() if value is not None}

    def shown(values: Entry) -> str:
        return ", ".join(f"{key}: {value}" for key, value in values.items())

    found = sizes(start)
    expected = {**sizes(run), "system": before}
    if expected != {key: found.get(key) for key in expected}:
        raise UserError(
            f"the run {name!r} goes on where a run of {before} has ended",
            where=f"{RUNS_FILE}: runs.{name}.start: {run['start']}",
            expected=f"the model of a run with {shown(expected)}",
            found=shown(found),
            fix=f"{RUNS_FILE}, and {PARAMS_FILE}: systems of the profile",
        )


def pretrained(run: Entry, known: Mapping[str, Entry]) -> bool:
    """Whether the first of the networks that it comes from had other than random weights."""
    while "start" in run:
        run = known[run["start"]]
    return bool("source" in run and run["source"]["source"] != RANDOM)


def _trunk(entry: Entry) -> str:
    """What of a network's arguments decides the shapes of its trunk."""
    network = entry["network"]
    if network.get("trunk", RESNET) != RESNET:
        return str(network["trunk"])
    scale = network.get("multiplier") or network.get("channels")
    return network.get("backbone") or f"{entry['system']} x{scale:g}"

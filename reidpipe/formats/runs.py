"""runs.yaml: the data sets, the first weights and the runs, a line each."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from reidpipe.errors import UserError, nearest
from reidpipe.formats import yaml
from reidpipe.runtime.settings import OURS, Attention, Section, SystemName

RUNS_FILE = Path("runs.yaml")
RANDOM = "random"
"""The first weights that are none."""
POSE_FILE = "data/weights/pose.safetensors"
"""Where the pose stage writes a trunk and AACN's pose branch."""
_NAME = re.compile(r"[a-z][a-z0-9_-]*", re.IGNORECASE | re.ASCII)
EXPECTED = (
    "{dataset: DATASET, start: data/weights/ROLE.safetensors or runs/RUN/model.safetensors}, "
    "and what is not Ours' own"
)


class Run(Section):
    """A line of runs.yaml; what it does not say of Ours is taken from params.yaml."""

    dataset: str
    start: str
    """File of the first weights, or the model of another run."""
    system: SystemName = OURS
    attention: Attention | None = None
    classifier: Literal["linear", "circle", "unified"] | None = None
    triplet: bool | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    """What its network has otherwise than the profile's `systems`."""
    train: dict[str, Any] = Field(default_factory=dict)
    """What its recipe and machine have otherwise than the profile."""

    @model_validator(mode="after")
    def _knobs_are_those_of_ours(self) -> Self:
        knobs = {"attention", "classifier", "triplet"} & self.model_fields_set
        if self.system != OURS and knobs:
            raise ValueError(f"{', '.join(sorted(knobs))}: of the system {OURS} alone")
        return self


class Runs(Section):
    """The whole of runs.yaml."""

    datasets: list[str]
    weights: list[str]
    """Roles: RANDOM, and others that the section `weights` of a profile fills."""
    cells: list[str]
    """Data sets for whose runs there is a cell of Auto-ReID."""
    runs: dict[str, Run]


def weights_file(role: str) -> str:
    """Where the weights stage writes what a role is filled with."""
    return f"data/weights/{role}.safetensors"


def cell_file(dataset: str) -> str:
    """Where the cell stage writes the cell of Auto-ReID for the runs of a data set."""
    return f"data/cells/{dataset}.json"


def model_file(run: str) -> str:
    """Where the training of a run writes its network."""
    return f"runs/{run}/model.safetensors"


def files_of(dataset: str, path: Path = RUNS_FILE) -> tuple[Path, Path]:
    """The zip and the manifest of a data set.

    Raises:
        UserError: runs.yaml has no such data set.
    """
    known = load(path).datasets
    if dataset not in known:
        raise UserError(
            f"there is no data set {dataset!r}",
            where=f"{path}: datasets",
            expected=", ".join(known),
            fix=nearest(dataset, known),
        )
    return Path(f"data/raw/{dataset}.zip"), Path(f"data/splits/{dataset}.csv")


def load(path: Path = RUNS_FILE) -> Runs:
    """Read and check runs.yaml.

    Raises:
        UserError: it is missing, is not YAML, or a run names what is not there.
    """
    content = yaml.read(path, "the runs")
    _check_names(content, path)
    try:
        found = TypeAdapter(Runs).validate_python(content)
    except ValidationError as error:
        lines = [
            f"{'.'.join(map(str, detail['loc']))}: {detail['msg'].removeprefix('Value error, ')}"
            for detail in error.errors(include_url=False)
        ]
        raise UserError(
            "the runs cannot be read", where=path, expected=EXPECTED, found="\n".join(lines)
        ) from None
    starts = [weights_file(role) for role in found.weights]
    starts += [*map(cell_file, found.cells), POSE_FILE]
    models = {model_file(name): name for name in found.runs}
    for dataset in found.cells:
        if dataset not in found.datasets:
            raise UserError(
                "a cell is of no data set",
                where=f"{path}: cells",
                expected=" or ".join(found.datasets),
                found=dataset,
                fix=nearest(dataset, found.datasets),
            )
    for name, run in found.runs.items():
        _check(name, "dataset", run.dataset, found.datasets, path)
        known = models if run.start.startswith("runs/") else starts
        _check(name, "start", run.start, list(known), path)
        _check_order(name, found.runs, models, path)
    return found


def _check_order(name: str, runs: Mapping[str, Run], models: Mapping[str, str], path: Path) -> None:
    """A run cannot start from its own end, nor from what starts from it."""
    way = [name]
    while (before := models.get(runs[way[-1]].start)) and before not in way:
        way.append(before)
    if before:
        raise UserError(
            f"the run {name!r} starts from what comes after it",
            where=f"{path}: runs.{name}.start",
            expected="weights, or a model that does not need it",
            found=" <- ".join([*way, before]),
        )


def _check_names(content: Any, path: Path) -> None:
    """DVC reads `a.b` as b of a, and YAML reads 2024 as a number."""
    parts = content if isinstance(content, dict) else {}
    for part in ("datasets", "weights", "cells", "runs"):
        names = parts.get(part)
        for name in names if isinstance(names, list | dict) else []:
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise UserError(
                    f"{name!r} cannot be a name",
                    where=f"{path}: {part}",
                    expected="letters, digits, - and _, of which the first is a letter",
                    found=f"{name!r}, a {type(name).__name__}",
                )


def _check(run: str, key: str, value: str, known: list[str], path: Path) -> None:
    if value not in known:
        raise UserError(
            f"the {key} of the run {run!r} is unknown",
            where=f"{path}: runs.{run}.{key}",
            expected=", ".join(known),
            found=value,
            fix=nearest(value, known),
        )


def known_run(name: str, runs: list[str]) -> str:
    """`name`, where there is such a run.

    Raises:
        UserError: there is none.
    """
    if name not in runs:
        raise UserError(
            f"there is no run {name!r}",
            where=f"{RUNS_FILE}: runs",
            expected=", ".join(runs),
            fix=nearest(name, runs),
        )
    return name

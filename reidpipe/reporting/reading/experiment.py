"""What the plan says of the pipeline that is reported on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from reidpipe.formats.params import Params


@dataclass(frozen=True)
class Run:
    """One run as it was made."""

    dataset: str
    start: str
    """File of its first weights."""
    system: str
    """File name of reidpipe/systems."""
    network: dict[str, Any]
    """Keyword arguments of its network."""
    options: dict[str, Any]
    """Those that runs.yaml sets."""
    image_size: tuple[int, int]
    """Height, width in pixels."""
    pretrained: bool
    """Whether it started from weights that were trained before."""


@dataclass(frozen=True)
class Experiment:
    """Everything that was decided before the first stage."""

    params: Params
    """Those of the chosen profile."""
    runs: dict[str, Run]
    artifacts: dict[str, str]
    """Runs by the name under which dvc.yaml offers their models."""
    libraries: dict[str, str]
    """Pinned versions."""


def experiment(entry: Mapping[str, Any]) -> Experiment:
    """What the plan's entry for the report says."""
    known = {name: value for name, value in entry.items() if name != "code"}
    params = Params.model_validate(known.pop("params"), strict=False)
    found: dict[str, Run] = TypeAdapter(dict[str, Run]).validate_python(known.pop("runs"))
    return Experiment(params, found, **known)

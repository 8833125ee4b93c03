"""The runs of dvc.yaml: what each one trains."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from reidpipe.errors import UserError
from reidpipe.params import Params

_KNOB = re.compile(r"\$\{(\w+)\}")


class Model(BaseModel):
    """What sets the rows of Table 1 apart."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    attention: str
    classifier: str
    triplet: bool

    @property
    def label(self) -> str:
        loss = "cross-entropy + triplet" if self.triplet else "cross-entropy"
        return f"attention {self.attention}, classifier {self.classifier}, {loss}"


class Run(BaseModel):
    """One row of the `foreach` of the train stage."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    start: str
    """File of the first weights: a backbone, or the module with the rules of random ones."""
    model: Model

    @property
    def pretrained(self) -> bool:
        return self.start.endswith(".safetensors")


def load_runs(path: Path, params: Params) -> dict[str, Run]:
    """Runs by name, in the order of dvc.yaml, with `${attention}` and the like taken from `params`.

    Raises:
        UserError: dvc.yaml is missing or its train stage has no such dict of runs.
    """
    try:
        stages = yaml.safe_load(path.read_text(encoding="utf-8"))["stages"]
        found = stages["train"]["foreach"]
        return TypeAdapter(dict[str, Run]).validate_python(_resolved(found, params))
    except FileNotFoundError:
        raise UserError("the pipeline is missing", where=path, fix="git restore it") from None
    except (yaml.YAMLError, KeyError, TypeError, ValidationError) as error:
        raise UserError(
            "the runs cannot be read",
            where=f"{path}: stages.train.foreach",
            expected="NAME: {dataset, start, model: {attention, classifier, triplet}}",
            found=error,
        ) from None


def _resolved(value: Any, params: Params) -> Any:
    if isinstance(value, Mapping):
        return {key: _resolved(inner, params) for key, inner in value.items()}
    if isinstance(value, str) and (knob := _KNOB.fullmatch(value)):
        return getattr(params, knob[1], value)
    return value

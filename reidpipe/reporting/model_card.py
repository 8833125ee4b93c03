"""Model card of dvc.yaml's artifacts: Mitchell et al., https://arxiv.org/abs/1810.03993."""

import json
from dataclasses import dataclass
from pathlib import Path

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from reidpipe.errors import UserError
from reidpipe.files import digest, write_text
from reidpipe.params import Source, SyntheticSource
from reidpipe.reporting.formats import grid, span
from reidpipe.reporting.inputs import Inputs
from reidpipe.reporting.provenance import provenance
from reidpipe.reporting.published import DATASETS, LABELS
from reidpipe.reporting.tables import warning

SHOWN = ("rank1", "rank5", "mAP")


class Artifact(BaseModel):
    """An entry under `artifacts` of dvc.yaml."""

    model_config = ConfigDict(frozen=True)

    path: str

    @property
    def run(self) -> str:
        """RUN of `runs/RUN/model.safetensors`."""
        return Path(self.path).parent.name


@dataclass(frozen=True)
class Trained:
    """One model of the card."""

    name: str
    artifact: Artifact
    dataset: str
    data: str
    """What it learnt from, in words."""


def write_model_card(inputs: Inputs, path: Path) -> None:
    """Write the card, the same bytes for the same models, data and parameters."""
    artifacts = load_artifacts(inputs.root / "dvc.yaml")
    models = [_trained(name, artifact, inputs) for name, artifact in artifacts.items()]
    environment = Environment(
        loader=PackageLoader("reidpipe.reporting"),
        autoescape=False,  # noqa: S701 - Markdown, of our own words and numbers
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    card = environment.get_template("model_card.md.j2").render(
        warning=warning(inputs.params),
        models=models,
        results=_results(models, inputs),
        files=_files(models, inputs.root),
        facts=provenance(inputs.root, inputs.params, [model.dataset for model in models]),
        real=any(not _synthetic(inputs, model.dataset) for model in models),
    )
    write_text(path, card)


def load_artifacts(path: Path) -> dict[str, Artifact]:
    """The models that dvc.yaml offers, by name.

    Raises:
        UserError: an entry has no path.
    """
    found = yaml.safe_load(path.read_text(encoding="utf-8")).get("artifacts") or {}
    try:
        return TypeAdapter(dict[str, Artifact]).validate_python(found)
    except ValidationError as error:
        raise UserError(
            "the artifacts cannot be read",
            where=f"{path}: artifacts",
            expected="NAME: {path: runs/RUN/model.safetensors, type: model}",
            found=error,
        ) from None


def _trained(name: str, artifact: Artifact, inputs: Inputs) -> Trained:
    if artifact.run not in inputs.runs:
        raise UserError(
            f"the artifact {name!r} is of no run",
            where=f"{inputs.root / 'dvc.yaml'}: artifacts.{name}.path",
            expected=" or ".join(f"runs/{run}/model.safetensors" for run in inputs.runs),
            found=artifact.path,
        )
    dataset = inputs.runs[artifact.run].dataset
    figures = json.loads((inputs.root / f"reports/data/{dataset}.json").read_text(encoding="utf-8"))
    seen = (
        f"{figures['train_images']:,} images of {figures['train_ids']:,} people, "
        f"{figures['cameras']} cameras"
    )
    data = f"{_named(dataset, inputs.params.active.data[dataset])}: {seen}"
    return Trained(name, artifact, dataset, data)


def _synthetic(inputs: Inputs, dataset: str) -> bool:
    return isinstance(inputs.params.active.data[dataset], SyntheticSource)


def _named(dataset: str, source: Source) -> str:
    title = DATASETS.get(dataset, dataset)
    return f"synthetic people like {title}'s" if isinstance(source, SyntheticSource) else title


def _results(models: list[Trained], inputs: Inputs) -> str:
    rows = []
    for model in models:
        metrics = inputs.results[model.artifact.run].metrics
        cells = [
            f"{metrics[m]:.2f} {span(metrics[f'{m}_low'], metrics[f'{m}_high'])}" for m in SHOWN
        ]
        rows.append((model.name, *cells, f"{metrics['num_query']:.0f}"))
    return grid(("model", *(LABELS[metric] for metric in SHOWN), "queries"), rows)


def _files(models: list[Trained], root: Path) -> str:
    rows = [(m.name, f"`{m.artifact.path}`", f"`{digest(root / m.artifact.path)}`") for m in models]
    return grid(("model", "file", "sha256"), rows, left=3)

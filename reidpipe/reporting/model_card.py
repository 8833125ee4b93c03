"""Model card of dvc.yaml's artifacts: Mitchell et al., https://arxiv.org/abs/1810.03993."""

import json
from dataclasses import dataclass
from pathlib import Path

from reidpipe.files import digest, write_text
from reidpipe.formats.settings.data import Source, SyntheticSource
from reidpipe.reporting.formats import DASH, grid, span
from reidpipe.reporting.reading.inputs import Inputs
from reidpipe.reporting.reading.provenance import provenance
from reidpipe.reporting.reading.published import DATASETS, LABELS
from reidpipe.reporting.rendering import rendered
from reidpipe.reporting.science.tables import warning

SHOWN = ("rank1", "rank5", "mAP")


@dataclass(frozen=True)
class Trained:
    """One model of the card."""

    name: str
    run: str
    dataset: str
    data: str
    """What it learnt from, in words."""

    @property
    def file(self) -> str:
        return f"runs/{self.run}/model.safetensors"


def write_model_card(inputs: Inputs, path: Path) -> None:
    """Write the card, the same bytes for the same models, data and parameters."""
    models = [_trained(name, run, inputs) for name, run in inputs.experiment.artifacts.items()]
    card = rendered(
        "model_card.md.j2",
        {},
        warning=warning(inputs.params),
        models=models,
        results=_results(models, inputs),
        files=_files(models, inputs.root),
        facts=provenance(inputs.root, inputs.experiment, [model.dataset for model in models]),
        real=any(not _synthetic(inputs, model.dataset) for model in models),
    )
    write_text(path, card)


def _trained(name: str, run: str, inputs: Inputs) -> Trained:
    dataset = inputs.runs[run].dataset
    figures = json.loads((inputs.root / f"reports/data/{dataset}.json").read_text(encoding="utf-8"))
    seen = (
        f"{figures['train_images']:,} images of {figures['train_ids']:,} people, "
        f"{figures['cameras']} cameras"
    )
    data = f"{_named(dataset, inputs.params.active.data[dataset])}: {seen}"
    return Trained(name, run, dataset, data)


def _synthetic(inputs: Inputs, dataset: str) -> bool:
    return isinstance(inputs.params.active.data[dataset], SyntheticSource)


def _named(dataset: str, source: Source) -> str:
    title = DATASETS.get(dataset, dataset)
    return f"synthetic people like {title}'s" if isinstance(source, SyntheticSource) else title


def _results(models: list[Trained], inputs: Inputs) -> str:
    rows = []
    for model in models:
        if model.run not in inputs.results:
            rows.append((model.name, *["not evaluated"] * len(SHOWN), DASH))
            continue
        metrics = inputs.results[model.run].metrics
        cells = [
            f"{metrics[m]:.2f} {span(metrics[f'{m}_low'], metrics[f'{m}_high'])}" for m in SHOWN
        ]
        rows.append((model.name, *cells, f"{metrics['num_query']:.0f}"))
    return grid(("model", *(LABELS[metric] for metric in SHOWN), "queries"), rows)


def _files(models: list[Trained], root: Path) -> str:
    rows = [(m.name, f"`{m.file}`", f"`{digest(root / m.file)}`") for m in models]
    return grid(("model", "file", "sha256"), rows, left=3)

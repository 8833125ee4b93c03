"""All pictures of the report: drawn, written to reports/figures, and handed to the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from reidpipe.files import write_bytes
from reidpipe.formats.settings.data import SyntheticSource
from reidpipe.reporting.pictures import attention_panel, rank_list
from reidpipe.reporting.pictures.attention_panel import Probe, Shown
from reidpipe.reporting.pictures.cost_figure import cost_scatter
from reidpipe.reporting.pictures.curves import (
    cmc_curves,
    training_curves,
    write_curves,
)
from reidpipe.reporting.pictures.data_sets import Described, contact_sheet, described
from reidpipe.reporting.pictures.drawing import Drawing
from reidpipe.reporting.pictures.embedding_map import draw_map, embedding_map
from reidpipe.reporting.pictures.error_figures import condition_bars, heat_map
from reidpipe.reporting.pictures.pictures import data_uri, png
from reidpipe.reporting.pictures.retrieval import (
    OURS,
    Lists,
    Variants,
    across_variants,
    own_runs,
    rank_lists,
    title,
)
from reidpipe.reporting.reading.inputs import Inputs
from reidpipe.reporting.reading.published import DATASETS
from reidpipe.reporting.science.camera_pairs import camera_pairs
from reidpipe.reporting.science.conditions import Group, by_condition
from reidpipe.reporting.science.costs import Costs
from reidpipe.runtime.settings import metric


@dataclass(frozen=True)
class Illustrations:
    """What the page shows besides tables and claims."""

    curves: Sequence[Drawing]
    errors: Sequence[Drawing]
    maps: Sequence[Drawing]
    lists: Sequence[Lists]
    variants: Sequence[Variants]
    attention: Sequence[Shown]
    data: Sequence[Described]


def illustrate(inputs: Inputs, costs: Costs) -> Illustrations:
    """Draw everything; photographs only where the parameters allow them."""
    folder = inputs.root / "reports/figures"
    # A photograph of an earlier report must not stay beside a page that leaves them out.
    for photograph in folder.glob("*.png"):
        photograph.unlink()
    lists = rank_lists(inputs)
    found = Illustrations(
        curves=_curves(inputs, costs),
        errors=_errors(inputs),
        maps=_maps(inputs),
        lists=lists,
        variants=across_variants(inputs),
        attention=_attention(inputs, lists, folder) if inputs.images else [],
        data=[_described(inputs, name, folder) for name in inputs.datasets],
    )
    for drawing in (*found.curves, *found.errors, *found.maps):
        drawing.write(folder)
    if inputs.images:
        for part in lists:
            _write(folder / f"ranks-{part.run}.png", rank_list.drawn(part.lists, part.data))
    return found


def _curves(inputs: Inputs, costs: Costs) -> list[Drawing]:
    """Of Table 1; none where it was left out."""
    table = inputs.tables[0]
    histories = {run: inputs.results[run].history for run in table.rebuilt}
    write_curves(table, inputs.results, histories, inputs.root / "reports/tables")
    if not table.rebuilt:
        return []
    return [
        cmc_curves(table, inputs.results),
        cost_scatter(table, costs),
        training_curves(table, histories),
    ]


def _errors(inputs: Inputs) -> list[Drawing]:
    """Camera pairs of every Ours run, and conditions where they are known."""
    drawings: list[Drawing] = []
    groups: dict[str, list[Group]] = {}
    evaluate = inputs.params.active.evaluate
    for run, table in own_runs(inputs).items():
        chosen = evaluate.of(metric(inputs.runs[run].system))
        pairs = camera_pairs(inputs.root / f"runs/{run}/features.safetensors", chosen)
        drawings.append(heat_map(f"cameras-{run}", title(table), pairs))
        source = inputs.params.active.data.get(table.dataset)
        if isinstance(source, SyntheticSource) and inputs.runs[run].pretrained:
            data = inputs.data_set(table.dataset)
            members = [shot.member for shot in data.subsets["query"]]
            ranking = inputs.results[run].ranking
            name = DATASETS.get(table.dataset, table.dataset)
            found = by_condition(data.zipped, members, ranking, evaluate.bootstrap)
            groups |= {name: found} if found else {}
    return [*([condition_bars("conditions", groups)] if groups else []), *drawings]


def _compared(inputs: Inputs) -> dict[str, str]:
    """Baseline and Ours of Table 1, as far as they were rebuilt: name -> run."""
    table = inputs.tables[0]
    runs = {row.method: run for run, row in table.rebuilt.items()}
    return {name: runs[name] for name in (table.baseline or "", OURS) if name in runs}


def _maps(inputs: Inputs) -> list[Drawing]:
    maps = {
        name: embedding_map(inputs.root / f"runs/{run}/features.safetensors")
        for name, run in _compared(inputs).items()
    }
    return [draw_map(maps)] if maps else []


def _attention(inputs: Inputs, lists: Sequence[Lists], folder: Path) -> list[Shown]:
    """Panels for the queries that Table 1's Ours is shown with."""
    compared = _compared(inputs)
    own = [part for part in lists if part.run == compared.get(OURS)]
    if not own:
        return []
    probes = [Probe(one.kind, one.probe.shot, one.matches[0].shot) for one in own[0].lists]
    models = {name: inputs.root / f"runs/{run}/model.safetensors" for name, run in compared.items()}
    panels = attention_panel.panels(own[0].data, probes, models)
    _write(folder / "attention.png", attention_panel.drawn(panels))
    return attention_panel.shown(probes, panels)


def _described(inputs: Inputs, name: str, folder: Path) -> Described:
    data, uri = inputs.data_set(name), ""
    if inputs.images:
        image = contact_sheet(data)
        _write(folder / f"contact-{name}.png", image)
        uri = data_uri(image)
    return described(data, inputs.root / f"reports/data/{name}.json", uri)


def _write(path: Path, image: Image.Image) -> None:
    write_bytes(path, png(image))

"""What each variant of Table 1 costs, with the paper's backbone and with the profile's."""

from collections.abc import Mapping
from dataclasses import dataclass

from reidpipe.models.complexity import Cost, costs
from reidpipe.params import TrainParams
from reidpipe.reporting.experiment import Run
from reidpipe.reporting.tables import Table

AS_IN_PAPER = {"backbone": "resnet50", "image_size": (256, 128)}


@dataclass(frozen=True)
class Costs:
    """Cost by run."""

    paper: dict[str, Cost]
    profile: dict[str, Cost]
    names: str
    """Backbone and image size of the profile."""


def variant_costs(runs: Mapping[str, Run], table: Table, train: TrainParams) -> Costs:
    """Cost of each run of `table`; runs of one attention share one count."""
    attentions = {run: runs[run].model.attention for run in table.rebuilt}
    height, width = train.image_size
    return Costs(
        paper=_counted(attentions, train.model_copy(update=AS_IN_PAPER)),
        profile=_counted(attentions, train),
        names=f"{train.backbone} {height}x{width}",
    )


def _counted(attentions: Mapping[str, str], train: TrainParams) -> dict[str, Cost]:
    counted = costs({name: name for name in sorted(set(attentions.values()))}, train)
    return {run: counted[name] for run, name in attentions.items()}

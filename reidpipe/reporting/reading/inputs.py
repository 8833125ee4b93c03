"""What every part of the report reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reidpipe.formats.params import Params
from reidpipe.reporting.pictures.pictures import DataSet
from reidpipe.reporting.reading.experiment import Experiment, Run
from reidpipe.reporting.reading.results import Result
from reidpipe.reporting.science.tables import Table


@dataclass(frozen=True)
class Inputs:
    """The repository, what was decided in it, and what was read of it so far."""

    root: Path
    experiment: Experiment
    results: Mapping[str, Result]
    tables: Sequence[Table]

    @property
    def params(self) -> Params:
        return self.experiment.params

    @property
    def runs(self) -> Mapping[str, Run]:
        return self.experiment.runs

    @property
    def images(self) -> bool:
        """Whether photographs may be shown."""
        return self.params.active.report.images

    @property
    def datasets(self) -> list[str]:
        """Data sets of the runs, in the order of the tables."""
        return list(dict.fromkeys(run.dataset for run in self.runs.values()))

    def data_set(self, name: str) -> DataSet:
        return DataSet(
            name, self.root / f"data/raw/{name}.zip", self.root / f"data/splits/{name}.csv"
        )

"""One table of the report, of what there is by now."""

from collections.abc import Mapping
from pathlib import Path

from reidpipe.errors import UserError, nearest
from reidpipe.formats import plan as plan_file
from reidpipe.plan.resolve import plan
from reidpipe.reporting.reading import published
from reidpipe.reporting.reading.experiment import Experiment, experiment
from reidpipe.reporting.reading.results import Scores, load_scores
from reidpipe.reporting.science.paired import Pairs
from reidpipe.reporting.science.tables import Table, build_tables


def build(name: str, root: Path = Path()) -> Table:
    """The table `name` (table1, table2, ...) of the repository `root`.

    It needs no run but those that it can show: in the midst of `dvc repro`, or in a fresh clone.

    Raises:
        UserError: there is no such table, or a file cannot be read.
    """
    made = experiment(plan_file.entry("report", path=root / plan_file.PLAN_FILE))
    return _built(name, root, made, load_scores(made.runs, root, made.params.seed))


def list_targets(name: str, root: Path = Path()) -> list[str]:
    """The stages that `dvc repro` must be asked for to rebuild the rows of a table.

    Raises:
        UserError: there is no such table, or the parameters are wrong.
    """
    # Of the parameters as they are now: plan.json may be older.
    made = experiment(plan(root)["report"])
    rows = _built(name, root, made, {}).rows
    return [f"evaluate@{row.run}" for row in rows if row.run in made.runs]


def _built(name: str, root: Path, made: Experiment, results: Mapping[str, Scores]) -> Table:
    pairs = Pairs(results, made.params.active.evaluate.bootstrap)
    printed = published.load(root / "reports/published.yaml")
    tables = {one.id: one for one in build_tables(printed, made.runs, results, made.params, pairs)}
    if name not in tables:
        raise UserError(
            "there is no such table",
            expected=" or ".join(tables),
            found=name,
            fix=nearest(name, tables),
        )
    return tables[name]

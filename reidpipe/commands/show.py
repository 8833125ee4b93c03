"""One table of the report, of what there is by now."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reidpipe.errors import UserError, nearest
from reidpipe.formats import lock
from reidpipe.formats import plan as plan_file
from reidpipe.plan.resolve import plan
from reidpipe.reporting.reading import published
from reidpipe.reporting.reading.experiment import Experiment, experiment
from reidpipe.reporting.reading.published import PublishedTable
from reidpipe.reporting.reading.results import load_scores
from reidpipe.reporting.science.paired import Pairs
from reidpipe.reporting.science.tables import Table, build_table, in_the_paper, rows_of, sources


def build(name: str, root: Path = Path()) -> Table:
    """The table `name` (table1, table2, ...) of the repository `root`.

    It shows what dvc.lock says was made with plan.json, in the midst of `dvc repro` or in a fresh
    clone; every other row is not evaluated.

    Raises:
        UserError: there is no such table, or a file cannot be read.
    """
    content = plan_file.written(root / plan_file.PLAN_FILE)
    made = experiment(content["report"])
    source, named = _source(name, root, made)
    stages = lock.stages(root=root)
    runs = [row.run for row in rows_of(source, made.runs, named) if row.run in made.runs]
    current = [run for run in runs if run and _is_current(run, root, content, stages)]
    results = load_scores(current, root, made.params.seed)
    pairs = Pairs(results, made.params.active.evaluate.bootstrap)
    return build_table(source, made.runs, results, made.params, pairs, named=named)


def list_targets(name: str, root: Path = Path()) -> list[str]:
    """The stages that `dvc repro` must be asked for to rebuild the rows of a table.

    Raises:
        UserError: there is no such table, or the parameters are wrong.
    """
    # Of the parameters as they are now: plan.json may be older.
    made = experiment(plan(root)["report"])
    source, named = _source(name, root, made)
    rows = rows_of(source, made.runs, named)
    return [f"evaluate@{row.run}" for row in rows if row.run in made.runs]


def _source(name: str, root: Path, made: Experiment) -> tuple[PublishedTable, set[str]]:
    """What is printed of a table, and the runs that the paper's tables name."""
    printed = published.load(root / "reports/published.yaml")
    found = {source.id: source for source in sources(printed, made.runs)}
    if name not in found:
        raise UserError(
            "there is no such table",
            expected=" or ".join(found),
            found=name,
            fix=nearest(name, found),
        )
    return found[name], in_the_paper(printed)


def _is_current(run: str, root: Path, made: Mapping[str, Any], stages: Mapping[str, Any]) -> bool:
    metrics = root / f"reports/metrics/{run}.json"
    own = {stage: made[stage][run] for stage in lock.STAGES}
    return lock.made(run, own, stages, metrics.read_bytes() if metrics.exists() else None)

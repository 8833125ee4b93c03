"""One table of the report, of what there is by now."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from reidpipe.errors import UserError, nearest
from reidpipe.formats import lock
from reidpipe.formats import plan as plan_file
from reidpipe.plan.resolve import plan
from reidpipe.reporting.reading import published
from reidpipe.reporting.reading.experiment import Experiment, experiment
from reidpipe.reporting.reading.foreign import load_foreign
from reidpipe.reporting.reading.published import Published, PublishedTable
from reidpipe.reporting.reading.results import load_scores
from reidpipe.reporting.science.foreign import shown, with_foreign
from reidpipe.reporting.science.paired import Pairs
from reidpipe.reporting.science.tables import Table, build_tables, in_the_paper, rows_of, sources

Found = TypeVar("Found", Table, PublishedTable)


def build(name: str, root: Path = Path()) -> Table:
    """The table `name` (table1, table2, ...) of the repository `root`.

    It shows what dvc.lock says was made with plan.json, in the midst of `dvc repro` or in a fresh
    clone; every other row is not evaluated.

    Raises:
        UserError: there is no such table, or a file cannot be read.
    """
    content = plan_file.written(root / plan_file.PLAN_FILE)
    made, printed = experiment(content["report"]), _printed(root)
    stages = lock.stages(root=root)
    made_of = dict(lock.outputs(stages))
    foreign = load_foreign(root, lambda dataset: made_of.get(f"data/splits/{dataset}.csv"))
    runs = [run for run in _runs(name, printed, made) if _is_current(run, root, content, stages)]
    results = load_scores(runs, root, made.params.seed)
    pairs = Pairs({**results, **shown(foreign)}, made.params.active.evaluate.bootstrap)
    # The others without results: theirs may be half written, and nobody asked for them.
    tables = build_tables(printed, made.runs, results, made.params, pairs)
    return _named(name, with_foreign(tables, foreign, made.params, pairs))


def list_targets(name: str, root: Path = Path()) -> list[str]:
    """The stages that `dvc repro` must be asked for to rebuild the rows of a table.

    Raises:
        UserError: there is no such table, or the parameters are wrong.
    """
    # Of the parameters as they are now: plan.json may be older.
    made, printed = experiment(plan(root)["report"]), _printed(root)
    _named(name, sources(printed, made.runs))
    return [f"evaluate@{run}" for run in _runs(name, printed, made)]


def _printed(root: Path) -> Published:
    return published.load(root / "reports/published.yaml")


def _runs(name: str, printed: Published, made: Experiment) -> list[str]:
    """The runs of a table, as far as there are some."""
    named = in_the_paper(printed)
    return [
        row.run
        for source in sources(printed, made.runs)
        if source.id == name
        for row in rows_of(source, made.runs, named)
        if row.run in made.runs
    ]


def _named(name: str, tables: Sequence[Found]) -> Found:
    found = {table.id: table for table in tables}
    if name not in found:
        raise UserError(
            "there is no such table",
            expected=" or ".join(found),
            found=name,
            fix=nearest(name, found),
        )
    return found[name]


def _is_current(run: str, root: Path, made: Mapping[str, Any], stages: Mapping[str, Any]) -> bool:
    metrics = root / f"reports/metrics/{run}.json"
    own = {stage: made[stage][run] for stage in lock.STAGES}
    return lock.made(run, own, stages, metrics.read_bytes() if metrics.exists() else None)

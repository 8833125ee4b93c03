"""Rows of features from elsewhere, in the table of their data set, beside Ours."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from reidpipe.formats.foreign.results import PREFIX
from reidpipe.formats.params import Params
from reidpipe.metrics.bootstrap import Difference
from reidpipe.reporting.reading.foreign import Foreign
from reidpipe.reporting.reading.published import DATASETS, PublishedRow
from reidpipe.reporting.reading.results import Scores
from reidpipe.reporting.science.paired import Pairs
from reidpipe.reporting.science.tables import Cell, Row, Status, Table, cells

NOTE = (
    "Foreign rows are features of another programme, judged as the runs are; of their training "
    "nothing is known here. reports/foreign names their files."
)
READING = "In percent, with [low, high], the bootstrap interval over queries."
COLUMNS = ("rank1", "rank5", "rank10", "mAP")
OURS = "Ours"


def shown(foreign: Mapping[str, Foreign]) -> dict[str, Scores]:
    """The scores of those that have some on the images of the runs, or on their own."""
    return {
        name: one.scores for name, one in foreign.items() if one.current and one.scores is not None
    }


def with_foreign(
    tables: Sequence[Table], foreign: Mapping[str, Foreign], params: Params, pairs: Pairs
) -> list[Table]:
    """The tables with a row for each result: in that with Ours for its baseline, else the first.

    A data set that no table is about has one of its own at the end, and so have labels of none.
    """
    found = list(tables)
    for dataset in dict.fromkeys(one.about.dataset for one in foreign.values()):
        own = {name: one for name, one in foreign.items() if one.about.dataset == dataset}
        places = [number for number, table in enumerate(found) if table.dataset == dataset]
        places.sort(key=lambda number: found[number].baseline != OURS)
        if not places:
            places = [len(found)]
            found.append(_empty(len(found) + 1, dataset, params.profile))
        found[places[0]] = _with_rows(found[places[0]], own, params, pairs)
    return found


def _empty(number: int, dataset: str | None, profile: str) -> Table:
    of = f"on {DATASETS.get(dataset, dataset)}" if dataset else "by labels of their own"
    return Table(
        id=f"table{number}",
        title=f"Foreign features {of}",
        dataset=dataset or "",
        columns=COLUMNS,
        rows=(),
        notes=(READING,),
        profile=profile,
        baseline=None,
    )


def _with_rows(table: Table, own: Mapping[str, Foreign], params: Params, pairs: Pairs) -> Table:
    baseline = next((row.run for row in table.rows if row.method == table.baseline), None)
    rows = [
        Row(
            method=_method(name),
            run=name,
            status=_status(one),
            cells=_cells(table, one, params),
            versus_baseline=_versus(name, baseline, pairs),
        )
        for name, one in own.items()
    ]
    forms = (NOTE, *(_form(name, one) for name, one in own.items()))
    return replace(
        table,
        rows=(*table.rows, *rows),
        notes=(*table.notes, " ".join(forms)),
        forms=(*table.forms, *forms),
    )


def _method(name: str) -> str:
    return f"foreign: {name.removeprefix(PREFIX)}"


def _status(one: Foreign) -> Status:
    if not one.current:
        return "of another split"
    return "not trained here" if one.scores else "not evaluated"


def _cells(table: Table, one: Foreign, params: Params) -> dict[str, Cell]:
    unpublished = PublishedRow.model_validate({"method": "foreign"})
    scores = one.scores if one.current else None
    return cells(unpublished, table.columns, scores, params.active.evaluate.bootstrap)


def _versus(name: str, baseline: str | None, pairs: Pairs) -> Difference | None:
    if baseline is None or not pairs.same_queries(name, baseline):
        return None
    return pairs.difference(name, baseline, "mAP")


def _form(name: str, one: Foreign) -> str:
    """How a result was judged, where it may be another way than the runs beside it."""
    if not one.current:
        again = f"reidpipe evaluate FEATURES --data {one.about.dataset}"
        return f"{_method(name)} was judged on another split: {again} judges it anew."
    ranked = ", re-ranked" if one.about.rerank is not None else ""
    return f"{_method(name)}: {one.about.metric} distance{ranked}."

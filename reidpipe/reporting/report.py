"""From what the other stages left behind to everything under reports/."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reidpipe.files import digest
from reidpipe.reporting.formats import write_table
from reidpipe.reporting.ledger import write_claims, write_complexity, write_endings
from reidpipe.reporting.model_card import write_model_card
from reidpipe.reporting.page import Content, write_page
from reidpipe.reporting.pictures.illustration import illustrate
from reidpipe.reporting.reading import published
from reidpipe.reporting.reading.experiment import experiment
from reidpipe.reporting.reading.foreign import load_foreign
from reidpipe.reporting.reading.inputs import Inputs
from reidpipe.reporting.reading.provenance import provenance
from reidpipe.reporting.reading.results import load_results
from reidpipe.reporting.science.claims import check_claims
from reidpipe.reporting.science.costs import costs
from reidpipe.reporting.science.ending import summary
from reidpipe.reporting.science.foreign import shown, with_foreign
from reidpipe.reporting.science.paired import Pairs
from reidpipe.reporting.science.seeds import seed_tables, write_seeds
from reidpipe.reporting.science.tables import Table, build_tables, warning
from reidpipe.runtime.machine import prepare


def report(root: Path, entry: Mapping[str, Any]) -> list[Table]:
    """Write tables, model card, figures and the page of the repository `root`; return Tables 1-4.

    `entry` is what the plan says of the report.

    Raises:
        UserError: an input is missing, damaged, or of a run that is not in runs.yaml.
    """
    made = experiment(entry)
    params, runs = made.params, made.runs
    # Fixed threads, as in the stages before: they change float sums.
    settings = params.active.evaluate
    prepare("cpu", settings.threads, settings.instructions)
    printed = published.load(root / "reports/published.yaml")
    results = load_results(runs, root, params.seed)
    endings = {run: result.endings for run, result in results.items()}
    foreign = load_foreign(root, lambda dataset: _split(root, dataset))
    pairs = Pairs({**results, **shown(foreign)}, params.active.evaluate.bootstrap)
    tables = build_tables(printed, runs, results, params, pairs)
    tables = with_foreign(tables, foreign, params, pairs)
    checks = check_claims(printed, tables, pairs)
    counted = costs(runs)

    folder = root / "reports/tables"
    for table in tables:
        write_table(table, folder)
    write_claims(checks, printed, f"{warning(params)} {summary(endings)}".strip(), folder)
    write_complexity(tables, counted, folder)
    write_endings(endings, folder)
    scatter = seed_tables(root / "reports/seeds", results, params.seed)
    write_seeds(scatter, folder)

    inputs = Inputs(root, made, results, tables)
    pictures = illustrate(inputs, counted)
    write_model_card(inputs, root / "reports/model_card.md")
    facts = provenance(root, made, inputs.datasets)
    content = Content(params, printed, tables, checks, counted, pictures, facts, scatter, endings)
    write_page(content, root / "reports/index.html")
    return tables


def _split(root: Path, dataset: str) -> str | None:
    path = root / f"data/splits/{dataset}.csv"
    return digest(path, "md5") if path.is_file() else None

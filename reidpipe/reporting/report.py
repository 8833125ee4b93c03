"""From what the other stages left behind to everything under reports/."""

from pathlib import Path

from reidpipe.params import Params
from reidpipe.reporting import published
from reidpipe.reporting.claims import check_claims
from reidpipe.reporting.costs import variant_costs
from reidpipe.reporting.experiment import load_runs
from reidpipe.reporting.formats import write_table
from reidpipe.reporting.illustration import illustrate
from reidpipe.reporting.inputs import Inputs
from reidpipe.reporting.ledger import write_claims, write_complexity
from reidpipe.reporting.model_card import write_model_card
from reidpipe.reporting.page import Content, write_page
from reidpipe.reporting.paired import Pairs
from reidpipe.reporting.provenance import provenance
from reidpipe.reporting.results import load_results
from reidpipe.reporting.seeds import seed_tables, write_seeds
from reidpipe.reporting.tables import Table, build_tables, warning
from reidpipe.runtime.machine import prepare


def report(root: Path, params: Params) -> list[Table]:
    """Write tables, model card, figures and the page of the repository `root`; return Tables 1-4.

    Raises:
        UserError: an input is missing, damaged, or of a run that is not in dvc.yaml.
    """
    # Fixed threads, as in the stages before: they change float sums.
    settings = params.active.evaluate
    prepare("cpu", settings.threads, settings.instructions)
    printed = published.load(root / "reports/published.yaml")
    runs = load_runs(root / "dvc.yaml", params)
    results = load_results(runs, root)
    pairs = Pairs(results, params.active.evaluate.bootstrap)
    tables = build_tables(printed, runs, results, params, pairs)
    checks = check_claims(printed, tables, pairs)
    costs = variant_costs(runs, tables[0], params.active.train)

    folder = root / "reports/tables"
    for table in tables:
        write_table(table, folder)
    write_claims(checks, printed, warning(params), folder)
    write_complexity(tables[0], costs, folder)
    scatter = seed_tables(root / "reports/seeds", results, params.seed)
    write_seeds(scatter, folder)

    inputs = Inputs(root, params, runs, results, tables)
    pictures = illustrate(inputs, costs)
    write_model_card(inputs, root / "reports/model_card.md")
    facts = provenance(root, params, inputs.datasets)
    content = Content(params, printed, tables, checks, costs, pictures, facts, scatter)
    write_page(content, root / "reports/index.html")
    return tables

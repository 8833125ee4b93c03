"""One fake repository for all tests of the report; those that change it take a copy."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from reidpipe.formats import plan
from reidpipe.formats.params import Params
from reidpipe.reporting.reading import published
from reidpipe.reporting.reading.inputs import Inputs
from reidpipe.reporting.reading.published import Published
from reidpipe.reporting.reading.results import load_results
from reidpipe.reporting.report import report
from reidpipe.reporting.science.paired import Pairs
from reidpipe.reporting.science.tables import build_tables
from tests.parallel import built_once
from tests.reporting.fake import build, resolved


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_once(tmp_path_factory, "repository", build)


@pytest.fixture(scope="session")
def params(repository: Path) -> Params:
    return resolved(repository).params


@pytest.fixture(scope="session")
def entry(repository: Path) -> dict[str, Any]:
    """What the plan says of the report."""
    return plan.entry("report", path=repository / plan.PLAN_FILE)


@pytest.fixture(scope="session")
def printed(repository: Path) -> Published:
    return published.load(repository / "reports/published.yaml")


@pytest.fixture(scope="session")
def inputs(repository: Path, printed: Published) -> Inputs:
    made = resolved(repository)
    params, runs = made.params, made.runs
    results = load_results(runs, repository, params.seed)
    pairs = Pairs(results, params.active.evaluate.bootstrap)
    tables = build_tables(printed, runs, results, params, pairs)
    return Inputs(repository, made, results, tables)


@pytest.fixture(scope="session")
def pairs(inputs: Inputs) -> Pairs:
    return Pairs(inputs.results, inputs.params.active.evaluate.bootstrap)


@pytest.fixture(scope="session")
def reported(
    repository: Path, entry: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A copy of the repository after the report stage."""

    def build_report(root: Path) -> None:
        shutil.copytree(repository, root, symlinks=True)
        report(root, entry)

    return built_once(tmp_path_factory, "reported", build_report)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The report of a whole repository takes half a minute: who looks at it is among the long."""
    for item in items:
        if "reported" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)

"""One fake repository for all tests of the report; those that change it take a copy."""

import shutil
from pathlib import Path

import pytest

from reidpipe.params import Params, load
from reidpipe.reporting import published
from reidpipe.reporting.experiment import load_runs
from reidpipe.reporting.inputs import Inputs
from reidpipe.reporting.paired import Pairs
from reidpipe.reporting.published import Published
from reidpipe.reporting.report import report
from reidpipe.reporting.results import load_results
from reidpipe.reporting.tables import build_tables
from tests.parallel import built_once
from tests.reporting.fake import build


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_once(tmp_path_factory, "repository", build)


@pytest.fixture(scope="session")
def params(repository: Path) -> Params:
    return load(repository / "params.yaml")


@pytest.fixture(scope="session")
def printed(repository: Path) -> Published:
    return published.load(repository / "reports/published.yaml")


@pytest.fixture(scope="session")
def inputs(repository: Path, params: Params, printed: Published) -> Inputs:
    runs = load_runs(repository / "dvc.yaml", params)
    results = load_results(runs, repository)
    pairs = Pairs(results, params.active.evaluate.bootstrap)
    tables = build_tables(printed, runs, results, params, pairs)
    return Inputs(repository, params, runs, results, tables)


@pytest.fixture(scope="session")
def pairs(inputs: Inputs) -> Pairs:
    return Pairs(inputs.results, inputs.params.active.evaluate.bootstrap)


@pytest.fixture(scope="session")
def reported(repository: Path, params: Params, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository after the report stage."""

    def build_report(root: Path) -> None:
        shutil.copytree(repository, root)
        report(root, params)

    return built_once(tmp_path_factory, "reported", build_report)

"""One fake repository for all tests of the report; those that change it take a copy."""

from pathlib import Path

import pytest

from tests.reporting.fake import build


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("repository")
    build(root)
    return root

"""The tiny pipeline, rebuilt once for all tests; those that change it take a copy."""

from pathlib import Path

import pytest

from tests.parallel import built_once
from tests.pipeline.clone import REIDPIPE, Clone


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which nothing has run; it has one run per system."""

    def build(folder: Path) -> None:
        Clone(folder).leave_others()

    return Clone.at(built_once(tmp_path_factory, "clone", build))


@pytest.fixture(scope="session")
def twin(untouched: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone rebuilt from scratch."""
    return Clone.at(built_once(tmp_path_factory, "twin", untouched.rebuild))


@pytest.fixture(scope="session")
def spread_twin(untouched: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Another one, in another folder, whose runs were trained side by side."""

    def build(folder: Path) -> None:
        untouched.rebuild(folder, *REIDPIPE, "spread", "--at-once", "2")

    return Clone.at(built_once(tmp_path_factory, "spread-twin", build))

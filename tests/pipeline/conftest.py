"""The tiny pipeline, rebuilt once for all tests; those that change it take a copy."""

import pytest

from tests.parallel import built_once
from tests.pipeline.clone import Clone


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which nothing has run."""
    return Clone.at(built_once(tmp_path_factory, "clone", Clone))


@pytest.fixture(scope="session")
def twin(untouched: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone rebuilt from scratch."""
    return Clone.at(built_once(tmp_path_factory, "twin", untouched.rebuild))


@pytest.fixture(scope="session")
def other_twin(untouched: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Another one, in another folder."""
    return Clone.at(built_once(tmp_path_factory, "other-twin", untouched.rebuild))

"""The only way to change the golden losses: `pytest tests/parity --regenerate-golden`."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate-golden", action="store_true", help="write golden.json anew")


@pytest.fixture
def regenerate(request: pytest.FixtureRequest) -> bool:
    # Without the folder on the command line, pytest reads this file too late to know the option.
    return bool(request.config.getoption("--regenerate-golden", default=False))

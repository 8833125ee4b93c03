"""Before any test imports torch: reidpipe sets how its threads wait."""

import pytest

import reidpipe as reidpipe  # noqa: PLC0414


@pytest.fixture(autouse=True)
def own_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Switches that come too late for this process must not reach those that it starts."""
    monkeypatch.setattr("reidpipe.runtime._AVX2", {})

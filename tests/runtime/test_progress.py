"""What a person sees who is not at a terminal."""

import pytest

from reidpipe.runtime.progress import progress


def test_lines_have_counts_pace_time_left_and_figures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter(range(0, 3000, 30))
    monkeypatch.setattr("reidpipe.runtime.progress.time.monotonic", lambda: float(next(clock)))
    with progress("train", 100) as show:
        show(50)
        show(80, values={"loss": 1.23456})
        show(100, values={"loss": 1.0})
    first, second, third = capsys.readouterr().err.splitlines()
    assert first == "train 50/100"
    assert second.startswith("train 80/100 ")
    assert "/s, 0:" in second
    assert second.endswith(" left loss 1.235")
    assert third.startswith("train 100/100 ")
    assert "left" not in third


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("train", 2, quiet=True) as show:
        show(1)
        show(2, values={"loss": 1.0})
    assert capsys.readouterr().err == ""

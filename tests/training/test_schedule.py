"""The learning rate, by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reidpipe.formats.settings.training import Schedule
from reidpipe.training.schedule import learning_rate

PAPER = Schedule(
    epochs=120, lr=3.5e-4, weight_decay=5e-4, warmup_epochs=10, milestones=(40, 70), gamma=0.1
)


@pytest.mark.parametrize(
    ("epoch", "step", "expected"),
    [
        (0, 0, 3.5e-4 / 1000),
        (4, 99, 3.5e-4 / 2),
        (9, 99, 3.5e-4),
        (39, 99, 3.5e-4),
        (40, 0, 3.5e-5),
        (69, 99, 3.5e-5),
        (70, 0, 3.5e-6),
        (119, 99, 3.5e-6),
    ],
)
def test_worked_by_hand(epoch: int, step: int, expected: float) -> None:
    assert learning_rate(PAPER, epoch, step, steps=100) == pytest.approx(expected, rel=1e-12)


@given(st.integers(1, 50), st.integers(1, 5))
def test_warm_up_rises_to_the_rate_and_never_above(steps: int, warmup: int) -> None:
    schedule = PAPER.model_copy(update={"warmup_epochs": warmup})
    rates = [learning_rate(schedule, e, s, steps) for e in range(warmup) for s in range(steps)]
    assert rates == sorted(rates)
    assert 0 < rates[0] <= rates[-1] == pytest.approx(schedule.lr)


def test_no_warm_up_starts_at_the_rate() -> None:
    schedule = PAPER.model_copy(update={"warmup_epochs": 0})
    assert learning_rate(schedule, 0, 0, steps=7) == schedule.lr

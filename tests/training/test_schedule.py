"""The learning rate, by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reidpipe.formats.settings.training import Phase
from reidpipe.training.schedule import learning_rate

PAPER = Phase(
    epochs=120,
    optimiser="adam",
    lr=3.5e-4,
    weight_decay=5e-4,
    warmup_epochs=10,
    milestones=(40, 70),
    gamma=0.1,
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


def test_exponential_decay_ends_at_gamma() -> None:
    """As printed in 1703.07737, section 4: from 15,000 to 25,000 iterations to a thousandth."""
    changes = {"warmup_epochs": 0, "epochs": 25, "milestones": (15,), "gamma": 0.001}
    phase = PAPER.model_copy(update={**changes, "decay": "exponential"})
    rates = [learning_rate(phase, epoch, 0, steps=10) / phase.lr for epoch in (0, 14, 15, 20)]
    assert rates == pytest.approx([1, 1, 1, 0.001**0.5])
    last = learning_rate(phase, 24, 9, steps=10)
    assert last == pytest.approx(phase.lr * 0.001 ** (9.9 / 10))


def test_cosine_decay_is_half_way_down_in_the_middle() -> None:
    phase = PAPER.model_copy(update={"warmup_epochs": 0, "decay": "cosine"})
    rates = [learning_rate(phase, epoch, 3, steps=10) / phase.lr for epoch in (0, 40, 60, 80, 119)]
    assert rates == pytest.approx([1, 0.75, 0.5, 0.25, 0.0001713], rel=1e-3)

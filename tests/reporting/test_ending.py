"""Whether a training came to its end: by the last accuracy and by what its loss still fell."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reidpipe.reporting.science.ending import ACCURACY, FALL, Ending, ending, summary


def history(losses: list[float], accuracy: float = 99.0, lower: int = 3) -> dict[str, list[float]]:
    """`losses` at the full rate, then `lower` epochs at a tenth of it."""
    rates = [1e-3] * len(losses) + [1e-4] * lower
    return {
        "lr": rates,
        "loss": [*losses, *[losses[-1] / 2] * lower],
        "accuracy": [accuracy - 50] * (len(rates) - 1) + [accuracy],
    }


def test_by_hand() -> None:
    """Thirds of 9 epochs; the last two have the means 3 and 2, and the loss began at 8."""
    found = ending(history([8, 5, 5, 4, 3, 2, 2, 2, 2]))
    assert found.fall == 100 * (3 - 2) / (8 - 2)
    assert found.epochs == 12


def test_a_loss_that_has_settled_is_at_its_end_and_one_that_falls_is_not() -> None:
    assert ending(history([4, 2, 1.5, 1, 1, 1, 1, 1, 1])).reached
    assert not ending(history([4.0 - 0.3 * epoch for epoch in range(9)])).reached
    assert not ending(history([4, 2, 1.5, 1, 1, 1, 1, 1, 1], accuracy=ACCURACY - 1)).reached


def test_what_falls_after_the_full_rate_does_not_count() -> None:
    settled = [4.0, 2, 1.5, 1, 1, 1, 1, 1, 1]
    assert ending(history(settled, lower=30)).fall == ending(history(settled, lower=1)).fall


@given(st.floats(0.01, 100), st.floats(-5, 100))
def test_neither_the_scale_nor_the_floor_of_a_loss_matters(scale: float, floor: float) -> None:
    losses = [4, 2, 1.6, 1.3, 1.2, 1.1, 1.0, 0.95, 0.9]
    plain = ending(history(losses)).fall
    moved = ending(history([scale * loss + floor for loss in losses])).fall
    assert abs(plain - moved) < 1e-6


@pytest.mark.parametrize("loss", [4.0, 400.0])
def test_what_the_warm_up_brought_does_not_count(loss: float) -> None:
    plain = history([4, 2, 1.5, 1, 1, 1, 1, 0.9, 0.9])
    warm = {
        "lr": [9e-4, *plain["lr"]],
        "loss": [loss, *plain["loss"]],
        "accuracy": [1, *plain["accuracy"]],
    }
    assert ending(warm).fall == ending(plain).fall


@pytest.mark.parametrize("factor", [0.1, 0.5, 0.9])
def test_a_lower_rate_is_not_the_full_one(factor: float) -> None:
    """However little it falls by, a settled loss below it proves nothing."""
    falling = [10 - 0.6 * epoch for epoch in range(10)]
    curve = {
        "lr": [1.0] * 10 + [factor] * 30,
        "loss": [*falling, *[1.0] * 30],
        "accuracy": [99.0] * 40,
    }
    assert not ending(curve).reached


def test_too_short_or_rising_is_no_end() -> None:
    assert not ending(history([4, 1], lower=0)).reached
    assert not ending(history([1, 2, 3, 4, 5, 6])).reached
    assert ending({"lr": [1e-3], "loss": [1.0], "accuracy": [100.0]}).fall > FALL


def test_the_sentence_names_those_that_are_not_at_their_end() -> None:
    good, early = Ending(20, 97.5, 1.0), Ending(30, 80.25, 9.0)
    text = summary({"a": {0: good}, "b": {0: good, 1: good}})
    assert text.startswith("3 trainings of 20 epochs, all to the end")
    assert "the lowest: 97.5%" in text
    assert "the highest: 1.0%" in text
    text = summary({"a": {0: good}, "b": {0: good, 4: early}})
    assert "3 trainings of 20 to 30 epochs; not to the end" in text
    assert text.endswith("b with seed 4 (training accuracy 80.2%, last fall 9.0%).")
    assert summary({"a": {0: good}}).startswith("1 training of 20 epochs")
    assert summary({}) == "Nothing was trained."

"""Whether a run was trained to its end: by its own training curve, never by a test metric."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

ACCURACY = 95.0
"""Percent of the last epoch's training images that the classifier must name."""
FALL = 5.0
"""Percent of the fall of the loss at the full rate that its last third may still bring."""
_THIRDS = 3


@dataclass(frozen=True)
class Ending:
    """What the end of a training looks like."""

    epochs: int
    """Of the whole training."""
    accuracy: float
    """Training accuracy of the last epoch, in percent."""
    fall: float
    """What the last third of the epochs at the full rate brought, in percent of what they all did.

    Mean loss of the third before less that of the last, over the loss of the first of these epochs
    less that of the last third: neither a loss's scale (circle) nor its floor (label smoothing)
    matters, nor what the warm-up brought.
    """

    @property
    def reached(self) -> bool:
        return self.accuracy >= ACCURACY and self.fall <= FALL

    def __str__(self) -> str:
        return f"training accuracy {self.accuracy:.1f}%, last fall {self.fall:.1f}%"


def ending(history: Mapping[str, Sequence[float]]) -> Ending:
    """That of a run, from the columns lr, loss and accuracy of its history."""
    full = max(history["lr"])
    losses = [
        loss
        for lr, loss in zip(history["lr"], history["loss"], strict=True)
        if math.isclose(lr, full)
    ]
    third = len(losses) // _THIRDS
    epochs, accuracy = len(history["loss"]), history["accuracy"][-1]
    if third == 0:  # too short for a curve
        return Ending(epochs, accuracy, 100.0)
    before, last = mean(losses[-2 * third : -third]), mean(losses[-third:])
    whole = losses[0] - last
    return Ending(epochs, accuracy, 100 * (before - last) / whole if whole > 0 else 100.0)


def summary(endings: Mapping[str, Mapping[int, Ending]]) -> str:
    """A sentence on how the runs were trained, each with one seed or more."""
    found = [(run, seed, end) for run, ends in endings.items() for seed, end in ends.items()]
    if not found:
        return "Nothing was trained."
    epochs = sorted({end.epochs for *_, end in found})
    lengths = " to ".join(dict.fromkeys(str(length) for length in (epochs[0], epochs[-1])))
    early = [f"{run} with seed {seed} ({end})" for run, seed, end in found if not end.reached]
    trainings = "1 training" if len(found) == 1 else f"{len(found)} trainings"
    rule = (
        f"in the last epoch at least {ACCURACY:g}% of the training images are named, and the last "
        f"third of the epochs at the full rate brought at most {FALL:g}% of what all of them did"
    )
    if early:
        return f"{trainings} of {lengths} epochs; not to the end ({rule}): {', '.join(early)}."
    lowest, highest = min(end.accuracy for *_, end in found), max(end.fall for *_, end in found)
    return (
        f"{trainings} of {lengths} epochs, all to the end: {rule} (the lowest: {lowest:.1f}%, the "
        f"highest: {highest:.1f}%)."
    )

"""Whether a run was trained to its end: by its own training curve, never by a test metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

ACCURACY = 95.0
"""Percent of the last epoch's training images that the classifier must name."""
FALL = 5.0
"""Percent of the whole fall of the loss that the last third at the full rate may still bring."""
_THIRDS = 3


@dataclass(frozen=True)
class Ending:
    """What the end of a training looks like."""

    epochs: int
    """Of the whole training."""
    accuracy: float
    """Training accuracy of the last epoch, in percent."""
    fall: float
    """What the last third of the epochs at the full rate brought, in percent of the fall so far.

    Mean loss of the third before less that of the last, over the loss of the first epoch less that
    of the last third: neither a loss's scale (circle) nor its floor (label smoothing) matters.
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
        loss for lr, loss in zip(history["lr"], history["loss"], strict=True) if lr >= full / 2
    ]
    third = len(losses) // _THIRDS
    accuracy = history["accuracy"][-1]
    if third == 0:  # too short for a curve
        return Ending(len(history["loss"]), accuracy, 100.0)
    before, last = mean(losses[-2 * third : -third]), mean(losses[-third:])
    whole = history["loss"][0] - last
    fall = 100 * (before - last) / whole if whole > 0 else 100.0
    return Ending(len(history["loss"]), accuracy, fall)


def summary(endings: Mapping[str, Ending]) -> str:
    """A sentence on how the runs were trained."""
    if not endings:
        return "Nothing was trained."
    epochs = sorted({end.epochs for end in endings.values()})
    lengths = " to ".join(dict.fromkeys(str(length) for length in (epochs[0], epochs[-1])))
    lowest = min(end.accuracy for end in endings.values())
    early = [f"{run} ({end})" for run, end in endings.items() if not end.reached]
    ended = f"all but {', '.join(early)}" if early else "all of them"
    return (
        f"{len(endings)} runs were trained for {lengths} epochs, to a training accuracy of at "
        f"least {lowest:.1f}%; {ended} to the end: at least {ACCURACY:g}% in the last epoch, and "
        f"at most {FALL:g}% of the loss's fall in the last third at the full rate."
    )

"""Death at a place that a signal would hit only by luck."""

import pytest

from reidpipe.training import position, resume


class KilledError(Exception):
    """Stands for SIGKILL."""


def save_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever that costs."""
    monkeypatch.setattr(resume.State, "due", lambda self, *, epoch_ends: True)


def die_in_step(monkeypatch: pytest.MonkeyPatch, number: int) -> list[float]:
    """Die in the step of that number, once; the losses of all steps, this one too."""
    losses: list[float] = []
    add = position.Position.add

    def dies(self: position.Position, figures: dict[str, float]) -> None:
        losses.append(figures["loss"])
        if len(losses) == number:
            raise KilledError
        add(self, figures)

    monkeypatch.setattr(position.Position, "add", dies)
    return losses

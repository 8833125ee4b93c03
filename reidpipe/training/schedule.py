"""The learning rate over a phase of training."""

import math

from reidpipe.formats.settings.training import Phase


def learning_rate(phase: Phase, epoch: int, step: int, steps: int) -> float:
    """Rate of step `step` (from 0) of `steps` in `epoch` (from 0) of the phase.

    Linear warm-up from (almost) zero over `warmup_epochs`, counted in steps (1706.02677, section
    2.2). Then, by `decay`:

    - steps: `lr` times `gamma` for every milestone that has been reached.
    - exponential: `lr` until the first milestone m, then times gamma^((e - m) / (E - m)) in epoch
      e of E, counted in steps (1703.07737, equation 8, which has gamma 0.001).
    - cosine: `lr` times (1 + cos(pi e / E)) / 2 in epoch e of E (1608.03983, equation 5).
    """
    warmup_steps = phase.warmup_epochs * steps
    done = epoch * steps + step + 1
    if done < warmup_steps:
        return phase.lr * done / warmup_steps
    if phase.decay == "cosine":
        return phase.lr * (1 + math.cos(math.pi * epoch / phase.epochs)) / 2
    if phase.decay == "exponential":
        first = phase.milestones[0] if phase.milestones else 0
        passed = max(0.0, epoch + step / steps - first)
        return float(phase.lr * phase.gamma ** (passed / (phase.epochs - first)))
    reached = sum(epoch >= milestone for milestone in phase.milestones)
    return phase.lr * phase.gamma**reached

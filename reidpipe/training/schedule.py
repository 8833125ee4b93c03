"""The learning rate over a run."""

from reidpipe.formats.settings.training import Schedule


def learning_rate(schedule: Schedule, epoch: int, step: int, steps: int) -> float:
    """Rate of step `step` (from 0) of `steps` in `epoch` (from 0).

    Linear warm-up from (almost) zero over `warmup_epochs`, counted in steps (1706.02677, section
    2.2), then `lr` times `gamma` for every milestone that has been reached.
    """
    warmup_steps = schedule.warmup_epochs * steps
    done = epoch * steps + step + 1
    if done < warmup_steps:
        return schedule.lr * done / warmup_steps
    reached = sum(epoch >= milestone for milestone in schedule.milestones)
    return schedule.lr * schedule.gamma**reached

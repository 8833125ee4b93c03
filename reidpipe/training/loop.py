"""The training of any system: the phases of its recipe, the losses of its network."""

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

from reidpipe.errors import UserError
from reidpipe.formats.settings.training import Phase, Recipe
from reidpipe.layers.dropout import draw_from
from reidpipe.runtime import machine, ranks
from reidpipe.runtime.progress import progress
from reidpipe.systems import System
from reidpipe.training.batches import Batch, TrainingSet
from reidpipe.training.interruption import noticed
from reidpipe.training.mining import mined
from reidpipe.training.phases import ready, set_rate
from reidpipe.training.position import Position, keep, put_back, restore
from reidpipe.training.resume import State
from reidpipe.training.schedule import learning_rate

MEMORY_FIX = "lower the batch or the image_size of the recipe, or choose train.precision=bf16"


def fit(
    model: System,
    data: TrainingSet,
    *,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    precision: str,
    state: State,
    label: str,
) -> list[dict[str, float]]:
    """Train `model` in place; return a row per epoch: lr, loss and its terms, accuracy.

    Raises:
        UserError: a loss is not finite (before the optimiser's step), or the GPU's memory is full.
        SystemExit: SIGINT or SIGTERM, after the state was saved.
    """
    machine.on_device(model, device)
    learnable = {name for name, weight in model.named_parameters() if weight.requires_grad}
    scaler = torch.GradScaler(device.type, enabled=precision == "fp16")
    position, moments = restore(state, model, scaler)
    run = _Run(model, data, recipe, seed, device, precision, state, scaler, position)
    lengths = [phase.epochs * data.steps_of(phase) * recipe.size(phase) for phase in recipe.phases]
    before = accumulate([0, *lengths[:-1]])
    with noticed() as stop, progress(label, sum(lengths), quiet=ranks.rank() > 0) as show:
        for (first, phase), images in zip(recipe.starts(), before, strict=True):
            if position.epoch >= first + phase.epochs:
                continue
            begins = (position.epoch, position.step) == (first, 0)
            if begins:
                model.begin(phase.name)
            network: nn.Module | None = None  # the last phase's buckets of gradients go first
            optimiser = ready(model, phase, learnable)
            if not begins:  # a state that was saved before a phase has the moments of another
                put_back(moments, optimiser)
            network = ranks.synchronised(model, device)
            for done, values in run.steps(phase, first, network, optimiser):
                show(images + done, values=values)
                stopped = stop.noticed_by_any(device)
                # What a pool is made of is known where its epoch begins alone: it is finished.
                if phase.pool and position.step < data.steps_of(phase):
                    continue
                if stopped or state.due(epoch_ends=False):
                    keep(state, position, model, optimiser, scaler)
                if stopped:
                    stop.leave(device)
    return position.history


@dataclass(frozen=True)
class _Run:
    """What all steps of a run have in common."""

    model: System
    data: TrainingSet
    recipe: Recipe
    seed: int
    device: torch.device
    precision: str
    state: State
    scaler: GradScaler
    position: Position

    def steps(
        self, phase: Phase, first: int, network: nn.Module, optimiser: Optimizer
    ) -> Iterator[tuple[int, dict[str, float]]]:
        """Take those that are left of a phase whose first epoch is `first`.

        After each, how many images of the phase were seen, and what the step gave.
        """
        position, count, last = self.position, self.data.steps_of(phase), first + phase.epochs
        if position.step == count:  # it was stopped after the last step of an epoch
            self._close(phase, first, optimiser)
        while position.epoch < last:
            with self._batches(phase, last) as batches:
                for batch in batches:
                    rate = learning_rate(phase, position.epoch - first, position.step, count)
                    set_rate(optimiser, rate)
                    values = self._learn(batch, phase, network, optimiser)
                    done = (position.epoch - first) * count + position.step
                    told = {"epoch": position.epoch + 1, "lr": rate, **values}
                    yield done * self.recipe.size(phase), told
                    if position.step == count:
                        self._close(phase, first, optimiser)

    def _batches(self, phase: Phase, last: int) -> AbstractContextManager[Iterator[Batch]]:
        """Those up to the epoch `last`, or of one epoch where they are found anew in each."""
        epoch, data = self.position.epoch, self.data
        if phase.pool is None:
            return data.batches(epoch, self.position.step, last, self.device)
        with machine.memory_explained(self.device, f"a pool of {phase.pool.images}", MEMORY_FIX):
            rows = mined(self.model, data, phase.pool, epoch, self.device, self.precision)
        return data.chosen(rows, epoch, self.device)

    def _learn(
        self, batch: Batch, phase: Phase, network: nn.Module, optimiser: Optimizer
    ) -> dict[str, float]:
        """One step."""
        height, width = self.recipe.image_size
        work = f"{phase.pool or self.recipe.batches} of {height}x{width}, {self.precision}"
        position, images = self.position, self.data.images
        draw_from(self.model, self.seed, position.epoch, position.step)
        with machine.memory_explained(self.device, work, MEMORY_FIX):
            loss, values = step(self.model, network, *batch.on(self.device), self.precision)
            check_finite(values, position, images.members, batch)
            descend(loss, optimiser, self.scaler)
        position.add(values)
        return values

    def _close(self, phase: Phase, first: int, optimiser: Optimizer) -> None:
        """End an epoch with a row of history."""
        position, count = self.position, self.data.steps_of(phase)
        rate = learning_rate(phase, position.epoch - first, count - 1, count)
        position.end_epoch(rate, self.model.watched())
        if position.epoch < self.recipe.epochs and self.state.due(epoch_ends=True):
            keep(self.state, position, self.model, optimiser, self.scaler)


def step(
    model: System, network: nn.Module, images: Tensor, labels: Tensor, precision: str
) -> tuple[Tensor, dict[str, float]]:
    """The loss of one batch (of all ranks' shares), and its values for the history.

    Args:
        model: what knows the losses.
        network: the model as it is called on this machine (`ranks.synchronised`).
        images: float32 [B, 3, H, W], on the network's device.
        labels: int64 [B].
        precision: fp32, bf16 or fp16.
    """
    with machine.autocast(images.device, precision):
        out = {name: ranks.together(part) for name, part in network(images).items()}
        labels = ranks.together(labels)
        terms = model.losses(out, labels)
    loss = torch.stack(list(terms.values())).sum()
    accuracy = model.right(out, labels).float().mean() * 100
    found = {"loss": loss, **terms, "accuracy": accuracy}
    # One transfer: a GPU would be waited for at each.
    values = torch.stack([value.detach() for value in found.values()]).tolist()
    return loss, dict(zip(found, values, strict=True))


def descend(loss: Tensor, optimiser: Optimizer, scaler: GradScaler) -> None:
    """A step down the gradient of `loss`."""
    optimiser.zero_grad()
    scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
    scaler.step(optimiser)
    scaler.update()


def check_finite(
    values: dict[str, float], position: Position, members: Sequence[str], batch: Batch
) -> None:
    """Stop before the optimiser spreads a NaN over all weights."""
    wrong = {name: value for name, value in values.items() if not math.isfinite(value)}
    if wrong:
        names = [members[index] for index in batch.indices[:8]]
        raise UserError(
            f"the {' and the '.join(wrong)} is not finite",
            where=f"epoch {position.epoch + 1}, step {position.step + 1}",
            expected="finite losses",
            found=", ".join(f"{name} = {value}" for name, value in wrong.items())
            + f"\nbatch: {', '.join(names)}, ...",
            fix="lower the recipe's lr, lengthen its warm-up, or train with precision fp32",
        )

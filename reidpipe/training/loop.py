"""The training of any system: the phases of its recipe, the losses of its network."""

import math
from collections.abc import Sequence
from itertools import islice

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

from reidpipe.errors import UserError
from reidpipe.formats.settings.training import Recipe
from reidpipe.layers.dropout import draw_from
from reidpipe.runtime import machine, ranks
from reidpipe.runtime.progress import progress
from reidpipe.systems import System
from reidpipe.training.batches import Batch, TrainingSet
from reidpipe.training.interruption import noticed
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
    steps, size = data.steps, recipe.batches.size
    height, width = recipe.image_size
    work = f"{recipe.batches} of {height}x{width}, {precision}"

    with (
        noticed() as stop,
        progress(label, recipe.epochs * steps * size, quiet=ranks.rank() > 0) as show,
        data.batches(position.epoch, position.step, device) as batches,
    ):
        for first, phase in recipe.starts():
            last = first + phase.epochs
            if position.epoch >= last:
                continue
            begins = (position.epoch, position.step) == (first, 0)
            if begins:
                model.begin(phase.name)
            network: nn.Module | None = None  # the last phase's buckets of gradients go first
            optimiser = ready(model, phase, learnable)
            if not begins:  # a state that was saved before a phase has the moments of another
                put_back(moments, optimiser)
            network = ranks.synchronised(model, device)
            while position.epoch < last:
                for batch in islice(batches, steps - position.step):
                    rate = learning_rate(phase, position.epoch - first, position.step, steps)
                    set_rate(optimiser, rate)
                    draw_from(model, seed, position.epoch, position.step)
                    with machine.memory_explained(device, work, MEMORY_FIX):
                        loss, values = step(model, network, *batch.on(device), precision)
                        check_finite(values, position, data.images.members, batch)
                        descend(loss, optimiser, scaler)
                    position.add(values)
                    seen = (position.epoch * steps + position.step) * size
                    show(seen, values={"epoch": position.epoch + 1, "lr": rate, **values})
                    stopped = stop.noticed_by_any(device)
                    if stopped or state.due(epoch_ends=False):
                        keep(state, position, model, optimiser, scaler)
                    if stopped:
                        stop.leave(device)
                # Also where a run goes on that was stopped after the epoch's last step.
                rate = learning_rate(phase, position.epoch - first, steps - 1, steps)
                position.end_epoch(rate, model.watched())
                if position.epoch < recipe.epochs and state.due(epoch_ends=True):
                    keep(state, position, model, optimiser, scaler)
    return position.history


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

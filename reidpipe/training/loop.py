"""The paper's recipe: P x K batches, the losses of the network, Adam, warm-up, steps."""

import math
from collections.abc import Sequence
from itertools import islice

import torch
from torch import Tensor, nn
from torch.optim import Adam

from reidpipe.errors import UserError
from reidpipe.formats.settings.training import Recipe
from reidpipe.runtime import machine, ranks
from reidpipe.runtime.progress import progress
from reidpipe.systems.ours import Network
from reidpipe.training.batches import Batch, TrainingSet
from reidpipe.training.interruption import noticed
from reidpipe.training.position import Position, keep, restore
from reidpipe.training.resume import State
from reidpipe.training.schedule import learning_rate

MEMORY_FIX = "lower train.identities (P) or train.image_size, or choose train.precision=bf16"


def fit(
    model: Network,
    data: TrainingSet,
    *,
    recipe: Recipe,
    device: torch.device,
    state: State,
    label: str,
) -> list[dict[str, float]]:
    """Train `model` in place; return a row per epoch: lr, loss and its terms, accuracy.

    Raises:
        UserError: a loss is not finite (before the optimiser's step), or the GPU's memory is full.
        SystemExit: SIGINT or SIGTERM, after the state was saved.
    """
    machine.on_device(model, device).train()
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimiser = Adam(weights, lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True)
    scaler = torch.GradScaler(device.type, enabled=recipe.precision == "fp16")
    position = restore(state, model, optimiser, scaler)
    network = ranks.synchronised(model, device)
    steps, size = data.steps, recipe.identities * recipe.images
    total = recipe.epochs * steps * size
    height, width = recipe.image_size
    work = f"{recipe.identities} x {recipe.images} of {height}x{width}, {recipe.precision}"

    with (
        noticed() as stop,
        progress(label, total, quiet=ranks.rank() > 0) as show,
        data.batches(position.epoch, position.step, device) as batches,
    ):
        while position.epoch < recipe.epochs:
            for batch in islice(batches, steps - position.step):
                rate = learning_rate(recipe, position.epoch, position.step, steps)
                for group in optimiser.param_groups:
                    group["lr"] = rate

                with machine.memory_explained(device, work, MEMORY_FIX):
                    loss, values = step(model, network, *batch.on(device), recipe.precision)
                    check_finite(values, position, data.images.members, batch)
                    optimiser.zero_grad()
                    scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
                    scaler.step(optimiser)
                    scaler.update()

                position.add(values)
                seen = (position.epoch * steps + position.step) * size
                show(seen, values={"epoch": position.epoch + 1, "lr": rate, **values})
                stopped = stop.noticed_by_any(device)
                if stopped or state.due(epoch_ends=False):
                    keep(state, position, model, optimiser, scaler)
                if stopped:
                    stop.leave(device)
            # Also where a run goes on that was stopped after the epoch's last step.
            position.end_epoch(learning_rate(recipe, position.epoch, steps - 1, steps))
            if position.epoch < recipe.epochs and state.due(epoch_ends=True):
                keep(state, position, model, optimiser, scaler)
    return position.history


def step(
    model: Network, network: nn.Module, images: Tensor, labels: Tensor, precision: str
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
    accuracy = (out["scores"].argmax(1) == labels).float().mean() * 100
    found = {"loss": loss, **terms, "accuracy": accuracy}
    # One transfer: a GPU would be waited for at each.
    values = torch.stack([value.detach() for value in found.values()]).tolist()
    return loss, dict(zip(found, values, strict=True))


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
            fix="lower train.lr, lengthen train.warmup_epochs, or train with precision fp32",
        )

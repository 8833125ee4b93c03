"""The paper's recipe: P x K batches, cross-entropy + triplet (Eq. 5), Adam, warm-up, steps."""

import math
from collections.abc import Sequence
from itertools import islice

import torch
from torch import Tensor, nn
from torch.optim import Adam

from reidpipe.errors import UserError
from reidpipe.losses.joint import joint_loss
from reidpipe.losses.triplet import hardest
from reidpipe.models.reid import Output, ReID, on_device
from reidpipe.params import TrainParams
from reidpipe.runtime import machine, ranks
from reidpipe.runtime.progress import progress
from reidpipe.training.batches import Batch, TrainingSet
from reidpipe.training.interruption import noticed
from reidpipe.training.position import Position, keep, restore
from reidpipe.training.resume import State
from reidpipe.training.schedule import learning_rate

MEMORY_FIX = "lower train.identities (P) or train.image_size, or choose train.precision=bf16"


def fit(
    model: ReID,
    data: TrainingSet,
    *,
    params: TrainParams,
    triplet: bool,
    device: torch.device,
    state: State,
    label: str,
) -> list[dict[str, float]]:
    """Train `model` in place; return a row an epoch: lr, loss and its parts, accuracy, distances.

    Raises:
        UserError: a loss is not finite (before the optimiser's step), or the GPU's memory is full.
        SystemExit: SIGINT or SIGTERM, after the state was saved.
    """
    on_device(model, device).train()
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimiser = Adam(weights, lr=params.lr, weight_decay=params.weight_decay, fused=True)
    scaler = torch.GradScaler(device.type, enabled=params.precision == "fp16")
    position = restore(state, model, optimiser, scaler)
    network = ranks.synchronised(model, device)
    steps, size = data.steps, params.identities * params.images
    total = params.epochs * steps * size
    height, width = params.image_size
    work = f"{params.identities} x {params.images} of {height}x{width}, {params.precision}"

    with (
        noticed() as stop,
        progress(label, total, quiet=ranks.rank() > 0) as show,
        data.batches(position.epoch, position.step, device) as batches,
    ):
        while position.epoch < params.epochs:
            for batch in islice(batches, steps - position.step):
                rate = learning_rate(params, position.epoch, position.step, steps)
                for group in optimiser.param_groups:
                    group["lr"] = rate

                with machine.memory_explained(device, work, MEMORY_FIX):
                    loss, figures = losses(network, *batch.on(device), params, triplet=triplet)
                    check_finite(figures, position, data.images.members, batch)
                    optimiser.zero_grad()
                    scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
                    scaler.step(optimiser)
                    scaler.update()

                position.add(figures)
                seen = (position.epoch * steps + position.step) * size
                show(seen, figures={"epoch": position.epoch + 1, "lr": rate, **figures})
                stopped = stop.noticed_by_any(device)
                if stopped or state.due(epoch_ends=False):
                    keep(state, position, model, optimiser, scaler)
                if stopped:
                    stop.leave(device)
            # Also where a run goes on that was stopped after the epoch's last step.
            position.end_epoch(learning_rate(params, position.epoch, steps - 1, steps))
            if position.epoch < params.epochs and state.due(epoch_ends=True):
                keep(state, position, model, optimiser, scaler)
    return position.history


def losses(
    network: nn.Module, images: Tensor, labels: Tensor, params: TrainParams, *, triplet: bool
) -> tuple[Tensor, dict[str, float]]:
    """The joint loss of one batch (of all ranks' shares), and the figures for the history.

    Args:
        network: a `ReID`, on the device of `images`.
        images: float32 [B, 3, H, W].
        labels: int64 [B].
        params: precision, label smoothing and margin.
        triplet: whether the triplet loss is part of the sum.
    """
    with machine.autocast(images.device, params.precision):
        output = Output(*map(ranks.together, network(images, labels)))
        labels = ranks.together(labels)
        parts = joint_loss(
            output,
            labels,
            label_smoothing=params.label_smoothing,
            triplet=params.triplet if triplet else None,
        )
    loss = torch.stack(list(parts.values())).sum()
    positive, negative = hardest(output.feature.detach().float(), labels)
    figures = {
        "loss": loss,
        **parts,
        "accuracy": (output.scores.argmax(1) == labels).float().mean() * 100,
        "hardest_positive": positive.mean(),
        "hardest_negative": negative.mean(),
    }
    # One transfer: a GPU would be waited for at each.
    values = torch.stack([value.detach() for value in figures.values()]).tolist()
    return loss, dict(zip(figures, values, strict=True))


def check_finite(
    figures: dict[str, float], position: Position, members: Sequence[str], batch: Batch
) -> None:
    """Stop before the optimiser spreads a NaN over all weights."""
    wrong = {name: value for name, value in figures.items() if not math.isfinite(value)}
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

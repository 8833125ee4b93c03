"""Several processes, a GPU each, that compute what one would.

Every rank sees the outputs of the whole batch: `together` gathers them with gradients, so mining
and the losses are the single process's own code. Backwards, each rank then receives the sum over
ranks of equal losses, which is their number times too much, and DistributedDataParallel divides by
that number. Batch norm takes its statistics over all ranks.

Lightning Fabric starts the processes, or finds those that torchrun or SLURM started.
"""

import os

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed.nn.functional import all_gather
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from reidpipe.errors import UserError

STARTED_BY = {"MASTER_ADDR", "SLURM_NTASKS"}
"""What torchrun, other starters or SLURM set: with none of them Fabric waits for this machine."""


def launch(device: torch.device, devices: int, nodes: int) -> torch.device:
    """Start this command once per device, or join those that are started; this rank's device.

    Raises:
        UserError: there are fewer GPUs, or nothing has started the command on the other machines.
    """
    if devices * nodes == 1:
        return device
    if device.type == "cuda" and devices > torch.cuda.device_count():
        raise UserError(
            "too few GPUs",
            where="params.yaml: devices",
            expected=f"at most {torch.cuda.device_count()}, those of this machine",
            found=devices,
        )
    if nodes > 1 and not STARTED_BY & os.environ.keys():
        raise UserError(
            "nothing has started this command on the other machines",
            where="params.yaml: nodes",
            expected=f"{nodes} machines, each with one of {', '.join(sorted(STARTED_BY))} set",
            found="none of these variables",
            fix="start it with srun or torchrun: docs/scaling.md",
        )
    threads = torch.get_num_threads()
    # A second of imports that a single process is spared.
    from lightning_fabric import Fabric  # noqa: PLC0415

    fabric = Fabric(accelerator=device.type, devices=devices, num_nodes=nodes, strategy="ddp")
    fabric.launch()
    torch.set_num_threads(threads)  # Fabric takes one
    return fabric.device


def rank() -> int:
    """Number of this process, from 0; rank 0 writes."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """Number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def share(length: int) -> slice:
    """Rows of a batch of `length` that are this rank's; in rank order they are the batch.

    Raises:
        UserError: the ranks cannot have equal parts.
    """
    if length % world():
        raise UserError(
            "a batch does not divide among the devices",
            where="params.yaml: train.identities, train.images, train.devices, train.nodes",
            expected=f"a multiple of {world()} images, the number of devices",
            found=f"{length} images",
        )
    part = length // world()
    return slice(rank() * part, (rank() + 1) * part)


def together(part: Tensor) -> Tensor:
    """All ranks' parts [B / N, ...] as one [B, ...], with gradients."""
    return torch.cat(all_gather(part)) if world() > 1 else part  # type: ignore[no-untyped-call]


def add_up(tensor: Tensor) -> Tensor:
    """The sum over ranks, in place."""
    if world() > 1:
        dist.all_reduce(tensor)
    return tensor


def meet(device: torch.device) -> None:
    """Wait until all ranks are here."""
    anywhere(flag=True, device=device)


def anywhere(flag: bool, device: torch.device) -> bool:
    """Whether any rank says yes; all of them must ask."""
    if world() == 1:
        return flag
    return bool(add_up(torch.tensor(float(flag), device=device)).item())


def synchronised(model: nn.Module, device: torch.device) -> nn.Module:
    """The network as the training step calls it: its gradients are the mean over ranks.

    Raises:
        UserError: batch norm would see a rank's part alone (torch has no common one on the CPU).
    """
    if world() == 1:
        return model
    if device.type == "cuda":
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
    elif any(module.training for module in model.modules() if isinstance(module, _BatchNorm)):
        raise UserError(
            "several processes cannot share batch norm on the CPU",
            where="params.yaml: train.devices, train.nodes",
            expected="GPUs, or one process",
            found=f"{world()} processes on {device}",
        )
    return DistributedDataParallel(
        model,
        device_ids=[device] if device.type == "cuda" else None,
        # Nothing is unused; but it keeps the buckets of gradients as they are. They would be
        # arranged anew after the first step, also the first after a resumption, and more than two
        # ranks would add in another order than the undisturbed run.
        find_unused_parameters=True,
    )

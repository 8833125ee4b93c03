"""A training step of the paper profile with each attention: time and memory, compiled or not.

    python benchmarks/steps.py [cuda | cpu] [fp32 | bf16 | fp16]

Prints a JSON line for each attention, as the train stage computes, and on a GPU two more: CBAM with
its backbone compiled by torch.compile, and CBAM in fp32 with TF32 convolutions. `first_s` is what
the first two steps take. A CPU takes minutes for a step and is only asked when named.
"""

import json
import sys
import time
from collections.abc import Callable

import torch
from torch.optim import Adam

from reidpipe.formats import params
from reidpipe.formats.params import ProfileParams
from reidpipe.runtime import machine
from reidpipe.runtime.machine import on_device
from reidpipe.training import loop
from reidpipe.training.run import new_model

CLASSES = 751
SECONDS = 3.0
GIB = 1 << 30


def stepping(
    attention: str, profile: ProfileParams, device: torch.device, *, compiled: bool = False
) -> Callable[[], None]:
    """A step of the joint loss with the circle classifier on resident images."""
    train, network = profile.train, profile.network(attention, "circle", triplet=True)
    model = on_device(new_model("ours", network, CLASSES, seed=0), device).train()
    if compiled:
        model.backbone.compile()
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimiser = Adam(weights, lr=train["lr"], weight_decay=train["weight_decay"], fused=True)
    size = train["identities"] * train["images"]
    images = torch.randn(size, 3, *train["image_size"], device=device)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.arange(size, device=device) // train["images"]

    def step() -> None:
        loss, _ = loop.step(model, model, images, labels, train["precision"])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    return step


def seconds(step: Callable[[], None], steps: int) -> float:
    start = time.perf_counter()
    for _ in range(steps):
        step()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def measure(name: str, step: Callable[[], None], size: int, device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    first = seconds(step, 2)
    steps = round(SECONDS / seconds(step, 1)) or 1
    took = seconds(step, steps) / steps
    line: dict[str, object] = {"benchmark": f"step-{name}", "device": device.type}
    line |= {"ms": round(1000 * took, 1), "images_per_s": round(size / took, 1)}
    line["first_s"] = round(first, 1)
    if device.type == "cuda":
        line["device"] = torch.cuda.get_device_name(device)
        line["gib"] = round(torch.cuda.max_memory_allocated() / GIB, 2)
    print(json.dumps(line), flush=True)


def main(chosen: str = "cuda", precision: str = "") -> None:
    if chosen == "cuda" and not torch.cuda.is_available():
        print(json.dumps({"benchmark": "steps", "skipped": "no GPU"}))
        return
    profile = params.load(profile="paper").active
    train = profile.train | {"precision": precision or profile.train["precision"]}
    profile = profile.model_copy(update={"train": train})
    device = machine.prepare(chosen, train["threads"], train["instructions"])
    size = train["identities"] * train["images"]
    for attention in ("none", "se", "eca", "cbam", "nonlocal", "danet"):
        measure(attention, stepping(attention, profile, device), size, device)
    if device.type == "cuda":
        measure("cbam-compiled", stepping("cbam", profile, device, compiled=True), size, device)
        torch.backends.cudnn.allow_tf32 = True
        full = {"train": train | {"precision": "fp32"}}
        exact = profile.model_copy(update=full)
        measure("cbam-tf32", stepping("cbam", exact, device), size, device)


if __name__ == "__main__":
    main(*sys.argv[1:])

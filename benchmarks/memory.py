"""What it saves to keep freed memory: training steps of dual attention and of CBAM, both ways.

    python benchmarks/memory.py

Prints a JSON line for each: images_per_s where every step takes its large tensors from the system
anew (`returned`) and as the stages run (`kept`).
"""

import json
import subprocess
import sys

STEP = """
import sys, time
import torch
from reidpipe.formats import params
from reidpipe.runtime import machine
from reidpipe.runtime.machine import on_device
from reidpipe.training.run import new_model

profile = params.load(profile="embedded").active
machine.pin(profile.machine.instructions)
torch.set_num_threads(2)
torch.set_flush_denormal(True)
if sys.argv[2] == "kept":
    machine.keep_freed_memory()
model = new_model("ours", profile.network(sys.argv[1], "linear", triplet=False), 64, seed=0)
model = on_device(model, torch.device("cpu")).train()
images, labels = torch.randn(64, 3, *profile.train["image_size"]), torch.arange(64)
images = images.to(memory_format=torch.channels_last)
for step in range(12):
    if step == 2:
        start = time.perf_counter()
    torch.nn.functional.cross_entropy(model(images)["scores"], labels).backward()
print(640 / (time.perf_counter() - start))
"""


def images_per_s(attention: str, way: str) -> float:
    command = [sys.executable, "-c", STEP, attention, way]
    return float(subprocess.run(command, capture_output=True, check=True).stdout)


def main() -> None:
    for attention in ("danet", "cbam"):
        found = {way: round(images_per_s(attention, way), 1) for way in ("returned", "kept")}
        print(json.dumps({"benchmark": f"memory-{attention}", **found}), flush=True)


if __name__ == "__main__":
    main()

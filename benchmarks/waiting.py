"""How threads should wait for each other: one training step, alone and beside work.

    python benchmarks/waiting.py

Prints a JSON line for each of alone and beside one busy process: images_per_s where a waiting
thread spins, where it sleeps at once, and where it spins for a while and then sleeps, as ours do.
The three take turns, and the median of each counts.
"""

import json
import os
import subprocess
import sys
from statistics import median

STEP = """
import sys, time
import torch, torchvision
torch.set_num_threads(2)
model = torchvision.models.resnet18(num_classes=64).to(memory_format=torch.channels_last)
images, labels = torch.randn(64, 3, 64, 32), torch.arange(64)
images = images.to(memory_format=torch.channels_last)
for step in range(12):
    if step == 2:
        start = time.perf_counter()
    torch.nn.functional.cross_entropy(model(images), labels).backward()
print(640 / (time.perf_counter() - start))
"""
BUSY = "while True: pass"
TURNS = 5
POLICIES = {
    "spin": {"OMP_WAIT_POLICY": "ACTIVE"},
    "sleep": {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"},
    "ours": {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "4000"},
}


def images_per_s(policy: dict[str, str]) -> float:
    command = [sys.executable, "-c", STEP]
    environment = {**os.environ, **policy}
    return float(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)


def measured(where: str) -> None:
    turns = [
        {name: images_per_s(policy) for name, policy in POLICIES.items()} for _ in range(TURNS)
    ]
    found = {name: round(median(turn[name] for turn in turns), 1) for name in POLICIES}
    print(json.dumps({"benchmark": f"waiting-{where}", **found}), flush=True)


if __name__ == "__main__":
    measured("alone")
    busy = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        measured("beside-work")
    finally:
        busy.kill()

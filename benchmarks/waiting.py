"""What sleeping instead of spinning threads cost or save: one training step, alone and beside work.

    python benchmarks/waiting.py

Prints a JSON line for each of alone and beside one busy process: images_per_s of both policies.
"""

import json
import os
import subprocess
import sys

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


def images_per_s(policy: str) -> float:
    environment = {**os.environ, "OMP_WAIT_POLICY": policy}
    command = [sys.executable, "-c", STEP]
    return float(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)


def measured(where: str) -> None:
    found = {policy.lower(): round(images_per_s(policy), 1) for policy in ("PASSIVE", "ACTIVE")}
    print(json.dumps({"benchmark": f"waiting-{where}", **found}))


if __name__ == "__main__":
    measured("alone")
    busy = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        measured("beside-work")
    finally:
        busy.kill()

"""Seconds of a process that imports torch and torchvision and ends, as Python does it and as ours.

    python benchmarks/start.py

Prints one JSON line. The two take turns, and the best turn of each counts.
"""

import json
import subprocess
import sys
import time

TURNS = 5
IMPORTS = "import torch, torchvision"
SETTLED = "from reidpipe.runtime.process import settle; settle()"


def seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def main() -> None:
    turns = [(seconds(IMPORTS), seconds(f"{SETTLED}; {IMPORTS}")) for _ in range(TURNS)]
    plain, ours = (min(column) for column in zip(*turns, strict=True))
    found = {"plain_seconds": plain, "seconds": ours, "ratio": ours / plain}
    print(json.dumps({"benchmark": "start", **{k: round(v, 2) for k, v in found.items()}}))


if __name__ == "__main__":
    main()

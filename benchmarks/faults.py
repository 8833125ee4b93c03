"""Each broken and hostile archive of tests/faults: the message, seconds and peak memory.

    python -m benchmarks.faults

Prints a Markdown table. Every archive is packed by a process of its own; peaks hold its imports.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.faults.test_broken_archives import CASES

PACK = """
import json, pathlib, sys, time
from reidpipe.datasets import packing
from reidpipe.errors import UserError
start = time.perf_counter()
try:
    packing.pack(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3])
    message = "accepted"
except UserError as error:
    message = error.what
seconds = time.perf_counter() - start
status = pathlib.Path("/proc/self/status").read_text()  # getrusage counts the parent's peak too
print(json.dumps([message, seconds, int(status.split("VmHWM:")[1].split()[0]) / 1024]))
"""


def main() -> None:
    print("| case | message | seconds | peak MB |\n|---|---|---|---|")
    for name, case in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            given = Path(folder, "given")
            given.mkdir()
            source = case.build(given)
            command = [sys.executable, "-c", PACK, str(source), f"{folder}/out.zip", case.layout]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        message, seconds, peak = json.loads(done.stdout)
        print(f"| {name} | {message} | {seconds:.2f} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()

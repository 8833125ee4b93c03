"""torch.export's archive, run by a fresh process of torch that knows nothing of this code."""

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reidpipe.commands.export.embedder import Embedder
from reidpipe.commands.export.form import KEY, Form, text
from reidpipe.commands.export.running import DYNAMIC
from reidpipe.errors import UserError

LIBRARIES = ()
EXTRA = ""
# -I: neither this folder nor any variable of the environment lets it find reidpipe.
_PROCESS = """
import contextlib, sys
import numpy as np, torch
path, images, out, size, fixed, half, threads = sys.argv[1:]
if int(threads):
    torch.set_num_threads(int(threads))
assert "reidpipe" not in sys.modules
model, pixels, found = torch.export.load(path).module(), torch.from_numpy(np.load(images)), []
lower = torch.autocast("cpu", torch.float16) if int(half) else contextlib.nullcontext()
with torch.inference_mode(), lower:
    for part in pixels.split(int(size)):
        rest = int(size) - len(part) if int(fixed) else 0
        whole = torch.cat([part, part.new_zeros(rest, *part.shape[1:])])
        found.append(model(whole)[: len(part)].float())
np.save(out, torch.cat(found).numpy())
"""


def write(
    path: Path, embedder: Embedder, example: Tensor, form: Form, about: Mapping[str, Any]
) -> None:
    """Write the archive; `example` are two images, or those of a fixed batch."""
    dynamic = None if form.batch else ({0: torch.export.Dim("batch")},)
    with torch.no_grad():
        program = torch.export.export(embedder, (example,), dynamic_shapes=dynamic)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # where in whose folders the code was
    with path.open("wb") as file:  # torch wants names that end in .pt2
        torch.export.save(program, file, extra_files={f"{KEY}.json": text(about)})


def run(path: Path, images: Tensor, form: Form, threads: int | None) -> Tensor:
    """Embeddings of `images`."""
    with tempfile.TemporaryDirectory() as scratch:
        given, out = (Path(scratch, name) for name in ("given.npy", "found.npy"))
        np.save(given, images.numpy())
        size = [form.batch or DYNAMIC, int(bool(form.batch)), int(form.half), threads or 0]
        words = [str(path.absolute()), str(given), str(out), *map(str, size)]
        command = [sys.executable, "-I", "-c", _PROCESS, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise UserError(
                "a fresh process of torch cannot run the exported model",
                where=path,
                found="\n".join(done.stderr.splitlines()[-5:]),
            )
        return torch.from_numpy(np.load(out))

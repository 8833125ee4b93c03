"""Sizes and milliseconds per image of each export, on this CPU: docs/scaling.md, "Exports".

    python -m benchmarks.exports [RUN ...]

Networks at the paper's size with random weights, whose speed is that of trained ones; every export
is checked as `reidpipe export` does it, on 24 random images. Prints a Markdown table and a JSON
line.
"""

import json
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reidpipe.runtime.process import settle

settle()

import numpy as np
import torch
from PIL import Image

from reidpipe import systems
from reidpipe.commands.export import Source, export, to_onnx, to_openvino
from reidpipe.commands.export.form import Form, Target
from reidpipe.formats import weights
from reidpipe.formats.settings.extraction import ExtractParams
from reidpipe.layers.initial import initialise, torch_stream
from reidpipe.runtime.machine import prepare

PEOPLE, IMAGES, BATCH, REPEATS = 751, 24, 8, 5
THREADS = 2
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "Ours": ("ours", {"attention": "cbam", "classifier": "circle", "triplet": True}),
    "PCB": ("pcb", {}),
    "OSNet": ("osnet", {}),
}
FORMS: dict[str, tuple[Target, str, bool]] = {
    "ONNX": ("onnx", "m.onnx", False),
    "ONNX, half": ("onnx", "m.onnx", True),
    "OpenVINO": ("openvino", "m.xml", False),
    "OpenVINO, half": ("openvino", "m.xml", True),
    "torch.export": ("pt2", "m.pt2", False),
}
SIZES = {"ours": (256, 128), "pcb": (384, 128), "osnet": (256, 128)}


def main() -> None:
    prepare("cpu", THREADS, "native")
    chosen = sys.argv[1:] or list(NETWORKS)
    print("| network | form | MB | ms per image | equal lists | mAP before, after |")
    print("|---|---|---:|---:|---:|---:|")
    found = []
    for name in chosen:
        with tempfile.TemporaryDirectory() as folder:
            source = workspace(Path(folder), name)
            for form in FORMS:
                row = {"network": name, "form": form, **measured(source, Path(folder), form)}
                found.append(row)
                print("| " + " | ".join(str(value) for value in row.values()) + " |", flush=True)
    print(json.dumps({"threads": THREADS, "batch": BATCH, "rows": found}))


def workspace(folder: Path, name: str) -> Source:
    """A model file and a data set of noise."""
    system, options = NETWORKS[name]
    model = systems.network(system)(PEOPLE, **options)
    initialise(model, torch_stream("exports", name))
    size = SIZES[system]
    about = {**model.about(), "image_size": size, "run": name.lower()}
    weights.save(folder / "model.safetensors", model.state_dict(), about)
    lines, random = (
        ["member,pid,camid,subset,label", "0.png,99,1,train,0"],
        np.random.default_rng(0),
    )
    with zipfile.ZipFile(folder / "a.zip", "w") as zipped:
        for number in range(IMAGES):
            path = folder / f"{number}.png"
            tile = random.integers(0, 256, (8, 4, 3), dtype=np.uint8)
            Image.fromarray(tile).resize(size[::-1], Image.Resampling.BICUBIC).save(path)
            zipped.write(path, path.name)
            subset = "query" if number < IMAGES // 4 else "gallery"
            lines.append(f"{number}.png,{number % 6},{number % 4},{subset},-1")
    (folder / "a.csv").write_text("\n".join(lines) + "\n")
    return Source(folder / "model.safetensors", folder / "a.zip", folder / "a.csv", features=None)


def measured(source: Source, folder: Path, name: str) -> dict[str, Any]:
    """One export: its files, and the quickest of some runs over a batch."""
    target, file, half = FORMS[name]
    form, out = Form(target, batch=BATCH, half=half), folder / "out" / file
    params = ExtractParams(device="cpu", threads=THREADS)
    agreed = export(source, out, form, params=params, metric=None)
    size = sum(path.stat().st_size for path in out.parent.glob("m.*") if path.suffix != ".json")
    again = json.loads(out.with_name(file + ".json").read_text())
    shape = again["input"]["shape"]
    seconds = timed(target, out, shape)
    for path in out.parent.iterdir():
        path.unlink()
    scores = agreed.mean_ap or (float("nan"),) * 2
    return {
        "MB": round(size / 1e6, 1),
        "ms per image": round(1000 * seconds / BATCH, 1),
        "equal lists": f"{agreed.same} of {agreed.queries}",
        "mAP": f"{scores[0]:.2f}, {scores[1]:.2f}",
    }


def opened(target: Target, path: Path) -> Callable[[torch.Tensor], object]:
    """What embeds a batch, without the start of its program."""
    if target == "onnx":
        return to_onnx.opened(path, THREADS)
    if target == "openvino":
        return to_openvino.opened(path, THREADS)
    return torch.export.load(path).module()


@torch.inference_mode()
def timed(target: Target, path: Path, shape: list[int]) -> float:
    """Seconds of a batch, the least of some."""
    images, call = torch.randint(0, 256, shape, dtype=torch.uint8), opened(target, path)
    found = []
    for _ in range(1 + REPEATS):  # the first one plans
        start = time.perf_counter()
        call(images)
        found.append(time.perf_counter() - start)
    return min(found[1:])


if __name__ == "__main__":
    main()

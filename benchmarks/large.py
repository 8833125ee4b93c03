"""What galleries of millions would need, from the growth over 10, 30 and 100 thousand images.

    python -m benchmarks.large              a JSON line per size, then one per million images
    python -m benchmarks.large 30000        one size

Embeddings are those of benchmarks/evaluate.py: 2048 numbers, people who overlap. Seconds are those
of one core (its time in this process, whatever else the machine does). `evaluate` is the ranking of
the evaluate stage, `search` is from the embeddings to the list: `exact` as the command does it,
`product` the bare product of the query and the gallery, `approximate` with FAISS, which copies the
gallery into its lists for each command, `kept` where it could keep that copy. `recall` is the share
of the exact ten nearest that it finds. `lists_s` is how long the lists take to make, once. Peaks
are above the embeddings. Needs 3 GB and one to three minutes.
"""

import ctypes
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.evaluate import DIMS, PLAIN, Size, features, peak_mb

# isort: split
import numpy as np
import torch
from torch import Tensor

from reidpipe.commands.search.approximate import grouped, searcher
from reidpipe.commands.search.distances import distances
from reidpipe.commands.search.gallery import Gallery
from reidpipe.evaluation.evaluate import ranked
from reidpipe.formats import index as index_file
from reidpipe.formats.features import Features
from reidpipe.formats.index import DIGEST_BYTES, Index
from reidpipe.metrics.distance import blocks, prepare_
from reidpipe.runtime import machine

SIZES = (10_000, 30_000, 100_000)
MILLIONS = (1, 10, 100)
QUERIES, ASKED, TOP = 256, 50, 10
GB = 1e9
POWERS = {"lists_s": 1.5}
"""What grows otherwise than the gallery: each image is compared with 4 sqrt(N) centres."""


def seconds(run: Callable[[], object], repeats: int = 1) -> float:
    """Of one core, the least of `repeats` turns."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        taken.append(time.process_time() - start)
    return min(taken)


def peak(run: Callable[[], object]) -> float:
    """MB above what stays; what was freed before is given back first, else it would be reused."""
    ctypes.CDLL(None).malloc_trim(0)
    return peak_mb(run)


def measured(images: int) -> dict[str, float]:
    """By name, in seconds, milliseconds per query or MB."""
    # As many images of a person as Market-1501 has.
    data = features(Size(QUERIES, images, images // 20, 6, 0, noise=0.7))
    figures = {"images": float(images)} | evaluated(data)
    query, index = data.embedding[:ASKED].clone(), indexed(data.embedding[QUERIES:])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "index")
        index_file.write(file, index)
        figures["file_mb"] = file.stat().st_size / 1e6
    made: list[Index] = []
    figures["lists_s"] = seconds(lambda: made.append(grouped(index, "cosine")))
    return figures | searched(query, made[0])


def evaluated(data: Features) -> dict[str, float]:
    times: list[float] = []
    highest = peak(lambda: times.append(seconds(lambda: ranked(data, PLAIN))))
    return {"evaluate_ms": 1e3 * times[0] / QUERIES, "evaluate_mb": highest}


def indexed(embedding: Tensor) -> Index:
    count = len(embedding)
    return replace(
        index_file.empty(DIMS, {}),
        names=[f"camera/{number:08}.jpg" for number in range(count)],
        embedding=embedding,
        content=torch.zeros(count, DIGEST_BYTES, dtype=torch.uint8),
        stamp=torch.zeros(count, 3, dtype=torch.int64),
        squeezed=torch.zeros(count, dtype=torch.bool),
    )


def searched(query: Tensor, index: Index) -> dict[str, float]:
    """Of one photograph."""
    gallery = Gallery(index.names, index.embedding, (), 0, lists=index.lists)
    assert index.lists  # noqa: S101
    one = query[:1]
    times: dict[str, float] = {}
    peaks = {}
    for name, top in (("exact", None), ("approximate", TOP)):

        def run(top: int | None = top) -> None:
            distances(one.clone(), gallery, "cosine", top).sort()

        peaks[name] = peak(lambda name=name, run=run: times.update({name: seconds(run, 2)}))  # type: ignore[misc]
    prepare_(query, "cosine", "query")
    times["product"] = seconds(lambda: (gallery.embedding @ query[0]).topk(TOP), 5)
    kept = searcher(gallery.embedding, index.lists)
    times["kept"] = seconds(lambda: kept.search(query.numpy(), TOP)) / len(query)
    found = kept.search(query.numpy(), TOP)[1]
    ((_, exact),) = blocks(query, gallery.embedding, "cosine")
    nearest = exact.topk(TOP, largest=False).indices.numpy()
    hits = [len({*a} & {*b}) for a, b in zip(found.tolist(), nearest.tolist(), strict=True)]
    figures = {f"{name}_ms": 1e3 * value for name, value in times.items()}
    figures |= {f"{name}_mb": value for name, value in peaks.items()}
    return figures | {"recall": sum(hits) / TOP / len(query)}


def grown(lines: Sequence[Mapping[str, float]], name: str) -> Callable[[float], float]:
    """A constant and a multiple of the gallery (or of its power), fitted to the relative error."""
    images = np.array([line["images"] for line in lines])
    values = np.array([line[name] for line in lines])
    power = POWERS.get(name, 1.0)
    slope, start = np.polyfit(images**power, values, 1, w=1 / values)
    return lambda count: max(0.0, float(start)) + float(slope) * count**power


def main() -> None:
    """Measure the sizes named on the command line here, or each one in a process of its own."""
    torch.set_num_threads(1)
    machine.prepare(PLAIN.device, 1, PLAIN.instructions)
    for images in map(int, sys.argv[1:]):
        figures = measured(images)
        print(json.dumps({name: round(value, 3) for name, value in figures.items()}), flush=True)
    if len(sys.argv) > 1:
        return
    lines = []
    for size in SIZES:
        command = [sys.executable, "-m", "benchmarks.large", str(size)]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        print(said, end="", flush=True)
        lines.append(json.loads(said))
    for millions in MILLIONS:
        count = millions * 10**6
        names = [name for name in lines[0] if name.endswith(("_s", "_ms", "_mb"))]
        needs = {name: grown(lines, name)(count) for name in names}
        needs["embeddings_gb"] = count * DIMS * 4 / GB
        print(json.dumps({"millions": millions} | {k: round(v, 1) for k, v in needs.items()}))


if __name__ == "__main__":
    main()

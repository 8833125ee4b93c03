"""Time and memory of evaluation and re-ranking at the size of the real benchmarks.

    python benchmarks/evaluate.py                      all of them, a process each
    python benchmarks/evaluate.py evaluate-msmt17      one

Prints one JSON line per benchmark. `seconds` is everything between the features in memory and the
metrics: normalisation, distances, ranking, verification, bootstrap. `matmul_seconds` is the bare
float32 product of the same queries and gallery in blocks of the same size, in the same process;
both are the best of `repeats` turns taken alternately. `peak_mb` is the highest resident memory
above that with the features loaded (Linux only). No data set is needed: see `features`.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from reidpipe.runtime.process import settle

settle()
# isort: split
import torch

from reidpipe.evaluation.evaluate import ranked, retrieval, verification
from reidpipe.formats.features import Features
from reidpipe.formats.settings.evaluation import EvaluateParams
from reidpipe.runtime import machine

DIMS, LATENT = 2048, 64
MB = 1 << 20
PLAIN = EvaluateParams(device="cpu")
RERANKED = EvaluateParams(device="cpu", rerank={})


@dataclass(frozen=True)
class Size:
    queries: int
    images: int
    people: int
    cameras: int
    distractors: int
    noise: float
    """Spread of a person's images, for an mAP near 60."""

    def part(self, share: float) -> "Size":
        queries, images, people = (
            int(count * share) for count in (self.queries, self.images, self.people)
        )
        return replace(self, queries=queries, images=images, people=people)


MARKET = Size(3368, 15913, 750, 6, 2798, noise=0.7)
MSMT = Size(11659, 82161, 3060, 15, 0, noise=0.7)


def features(size: Size, seed: int = 0) -> Features:
    """Person + camera + pose (heavy-tailed) in 64 numbers, turned into 2048 with sensor noise.

    Independent noise in 2048 dimensions would separate every person; in 64 they overlap.
    """
    source = torch.Generator().manual_seed(seed)
    count = size.queries + size.images
    pid = torch.randint(1, size.people + 1, (count,), generator=source)
    pid[torch.randperm(size.images, generator=source)[: size.distractors] + size.queries] = 0
    camid = torch.randint(1, size.cameras + 1, (count,), generator=source)
    person = torch.randn(size.people + 1, LATENT, generator=source)
    camera = 0.3 * torch.randn(size.cameras + 1, LATENT, generator=source)
    spread = size.noise + 2 * torch.rand(count, 1, generator=source) ** 4
    spread[pid == 0] += 1
    latent = person[pid] + camera[camid] + spread * torch.randn(count, LATENT, generator=source)
    turn = torch.randn(LATENT, DIMS, generator=source) / LATENT**0.5
    embedding = torch.empty(count, DIMS)
    for first in range(0, count, 4096):
        part = embedding[first : first + 4096]
        part.normal_(std=0.3, generator=source).addmm_(latent[first : first + 4096], turn)
    return Features(embedding, pid, camid, size.queries)


def evaluated(data: Features, params: EvaluateParams) -> dict[str, float]:
    ranking, pairs = ranked(data, params)
    return retrieval(ranking, params.bootstrap) | verification(pairs)


def product(data: Features, block_mb: int) -> None:
    query, gallery = data.embedding[: data.queries], data.embedding[data.queries :]
    rows = block_mb * MB // (4 * len(gallery))
    out = torch.empty(rows, len(gallery))
    for first in range(0, len(query), rows):
        part = query[first : first + rows]
        torch.mm(part, gallery.T, out=out[: len(part)])


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def peak_mb(run: Callable[[], object]) -> float:
    """Highest resident memory during `run`, above that before it."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = memory_mb("VmRSS")
    run()
    return memory_mb("VmHWM") - before


def memory_mb(field: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def evaluation(size: Size, repeats: int) -> dict[str, object]:
    data, metrics, turns = features(size), {}, []
    peak = peak_mb(lambda: metrics.update(evaluated(data, PLAIN)))
    for _ in range(repeats):
        bare = seconds(lambda: product(data, PLAIN.block_mb))
        turns.append((seconds(lambda: evaluated(data, PLAIN)), bare))
    whole, bare = (min(column) for column in zip(*turns, strict=True))
    return {
        "seconds": round(whole, 2),
        "matmul_seconds": round(bare, 2),
        "ratio": round(whole / bare, 3),
        "peak_mb": round(peak),
        "mAP": round(metrics["mAP"], 2),
    }


def growth() -> dict[str, object]:
    sizes = [MSMT.part(share) for share in (0.25, 0.5, 1)]
    taken = []
    for size in sizes:
        data = features(size)
        taken.append(seconds(lambda data=data: evaluated(data, PLAIN)))  # type: ignore[misc]
    pairs = [size.queries * size.images for size in sizes]
    return {
        "seconds": [round(value, 2) for value in taken],
        "pairs": pairs,
        "ns_per_pair": [round(1e9 * t / n, 1) for t, n in zip(taken, pairs, strict=True)],
    }


def reranking() -> dict[str, object]:
    data, metrics, taken = features(MARKET), {}, []
    plain = evaluated(data, PLAIN)["mAP"]

    def run() -> None:
        taken.append(seconds(lambda: metrics.update(evaluated(data, RERANKED))))

    peak = round(peak_mb(run))
    return {
        "seconds": round(taken[0], 2),
        "peak_mb": peak,
        "mAP_before": round(plain, 2),
        "mAP": round(metrics["mAP"], 2),
    }


BENCHMARKS: dict[str, Callable[[], dict[str, object]]] = {
    "evaluate-market1501": lambda: evaluation(MARKET, repeats=3),
    "evaluate-msmt17": lambda: evaluation(MSMT, repeats=2),
    "evaluate-growth": growth,
    "rerank-market1501": reranking,
}


def main() -> None:
    """Run the benchmarks named on the command line here, or each one in a process of its own."""
    machine.prepare(PLAIN.device, PLAIN.threads, PLAIN.instructions)  # as the stage does
    for name in sys.argv[1:]:
        figures = {"name": name, "threads": torch.get_num_threads()} | BENCHMARKS[name]()
        print(json.dumps(figures), flush=True)
    if not sys.argv[1:]:
        for name in BENCHMARKS:
            subprocess.run([sys.executable, __file__, name], check=True)


if __name__ == "__main__":
    main()

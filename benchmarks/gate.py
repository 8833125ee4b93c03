"""How often the gate cries wolf, and which slips it sees: its rule on trainings by the dozen.

    python -m benchmarks.gate            train what is missing, then judge: 3 hours on 2 cores
    python -m benchmarks.gate --judge    judge what is there

It needs the data of `dvc repro split@market1501`.

Four runs of the embedded profile that between them have every part of the method are trained with
twenty seeds; pairs of these differ in noise alone, and each verdict `regression` on one is a false
alarm. Then eight slips are planted, one at a time, as small as they happen in practice, and each is
trained with ten other seeds and judged against trainings without it. A run that a slip cannot reach
is left as it was, as `dvc repro` would leave it.

Prints a JSON line for equal pairs (each seed with the next, then all with all), one per slip, and
the losses that can be seen; `share` is the exact 95% interval of the share that is called a
regression (Clopper and Pearson 1934; of all with all it has none, since those share trainings).
What is trained is kept in .resume/gate, so that a stopped study goes on; a repeat of every slip is
trained before the next repeat of any, so that one can be judged before its end. Delete the folder
after a change of the training.
"""

import argparse
import json
import multiprocessing
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any
from unittest.mock import patch

from reidpipe.runtime.process import settle

settle()
# isort: split
import numpy as np
import pandas as pd
import torch
from scipy.stats import binomtest
from torch import Tensor

from reidpipe.commands.check.chance import ALL, Change, differences, limits, verdict
from reidpipe.commands.check.noise import Noise, in_workspace, noise
from reidpipe.evaluation.evaluate import evaluate
from reidpipe.extraction.embeddings import extract
from reidpipe.formats import params, queries
from reidpipe.formats.manifest import read as read_manifest
from reidpipe.formats.params import Params
from reidpipe.formats.queries import METRICS, Queries
from reidpipe.formats.settings.training import Phase
from reidpipe.images.transforms import augment
from reidpipe.metrics.protocol import Block, Protocol
from reidpipe.plan.resolve import plan
from reidpipe.runtime.settings import Cluster
from reidpipe.systems import recipe
from reidpipe.systems.ours import Network
from reidpipe.training.run import train
from reidpipe.training.schedule import learning_rate

RUNS = tuple(f"market1501-{name}" for name in ("baseline", "tri", "tri-cir", "ours"))
WITH_TRIPLETS = RUNS[1:]
REPLAYS, REPEATS = range(100, 120), range(200, 210)
"""Seeds; none of them is one of reports/seeds, by which the gate judges."""
FOLDER = Path(".resume/gate")
DATA = Path("data/raw/market1501.zip"), Path("data/splits/market1501.csv")
PROCESSES = 2
FEWEST = 2
"""Pairs, of which a deviation can be had."""


@dataclass(frozen=True)
class Slip:
    """A mistake, as one changed function."""

    target: str
    wrong: Callable[..., Any]
    runs: tuple[str, ...] = RUNS
    """Which it can reach."""
    trains: bool = True
    """Whether training has it; else the trained networks of the replays are tested with it."""


def easiest(feature: Tensor, positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
    """Mining takes the farthest negative."""
    distmat = torch.cdist(feature, feature, compute_mode="donot_use_mm_for_euclid_dist")
    farthest = distmat.masked_fill(~positive, -torch.inf).argmax(1)
    return farthest, distmat.masked_fill(~negative, -torch.inf).argmax(1)


def nothing(feature: Tensor, _labels: Tensor, *, margin: object) -> Tensor:  # noqa: ARG001
    """The triplet loss is left out of the sum."""
    return 0 * feature.sum()


def shifted(manifest: Path) -> pd.DataFrame:
    """Labels stand a row below their images: one in ten is another person's."""
    rows = read_manifest(manifest)
    used = rows["subset"] == "train"
    rows.loc[used, "label"] = np.roll(rows.loc[used, "label"].to_numpy(), 1)
    return rows


def bytes_alone(images: Tensor) -> Tensor:
    """Test images are scaled to 0..1, without ImageNet's mean and standard deviation."""
    return images.to(torch.float32) / 255


def upside_down(images: Tensor, *rest: Any, **options: Any) -> tuple[Tensor, Tensor]:
    """The flip is along the wrong axis: a half of the training images is turned by 180 degrees."""
    crops, boxes = augment(images, *rest, **options)
    crops[::2] = crops[::2].flip(2)
    return crops, boxes


def junk_stays(self: Protocol, distances: Any) -> Iterator[Block]:
    """The query's own camera counts: its images of the query's identity stay as wrong answers."""
    for first, distance in distances:
        row, column = self._same_identity(first, len(distance))
        junk = self.gallery.camid[column] == self.query.camid[first + row]
        yield Block(first, distance, row[~junk], column[~junk])


def before_the_neck(self: Network, images: Tensor) -> Tensor:
    """Searching takes the feature before the BN neck."""
    return self.feature(images)


def too_early(phase: Phase, epoch: int, step: int, steps: int) -> float:
    """The learning rate falls after a quarter of the epochs, not at its milestone."""
    early = phase.epochs // 4 <= epoch < phase.milestones[0]
    return learning_rate(phase, epoch, step, steps) * (0.1 if early else 1)


SLIPS = {
    "mining": Slip("reidpipe.losses.triplet._mine", easiest, WITH_TRIPLETS),
    "a loss left out": Slip("reidpipe.systems.ours.batch_hard", nothing, WITH_TRIPLETS),
    "labels": Slip("reidpipe.training.run.manifest_file.read", shifted),
    "normalisation": Slip("reidpipe.extraction.embeddings.normalise", bytes_alone, trains=False),
    "augmentation": Slip("reidpipe.training.batches.augment", upside_down),
    "junk": Slip("reidpipe.metrics.protocol.Protocol.blocks", junk_stays, trains=False),
    "neck": Slip("reidpipe.systems.ours.Network.embed", before_the_neck, trains=False),
    "learning rate": Slip("reidpipe.training.loop.learning_rate", too_early),
}


@dataclass(frozen=True)
class Job:
    """One training, or one more test of it."""

    slip: str
    """Empty: none."""
    run: str
    seed: int

    @property
    def scores(self) -> Path:
        return FOLDER / (self.slip or "none") / self.run / f"{self.seed}.csv"

    @property
    def model(self) -> Path:
        return FOLDER / "models" / self.run / f"{self.seed}.safetensors"


def jobs() -> list[Job]:
    """All of them, trainings without a slip first: others test their networks."""
    found = [Job("", run, seed) for seed in REPLAYS for run in RUNS]
    for repeat in range(len(REPEATS)):
        for name, slip in SLIPS.items():
            found += [Job(name, run, seeds(slip)[repeat]) for run in slip.runs]
    return found


def seeds(slip: Slip) -> range:
    """Of the trainings that have it, a repeat each."""
    return REPEATS if slip.trains else REPLAYS[: len(REPEATS)]


def work(job: Job) -> None:
    """Train, extract and evaluate as the stages do, in one thread."""
    checked = params.load(profile="embedded")
    slip = SLIPS.get(job.slip)
    mistake = patch(slip.target, slip.wrong) if slip else nullcontext()
    folder = job.scores.with_suffix("")
    if not slip or slip.trains:
        model = job.model if not slip else folder / "model.safetensors"
        trained(job, model, folder, mistake)
    else:
        model = job.model
    one = {"threads": 1}
    with mistake:
        features = folder / "features.safetensors"
        extract(model, *DATA, checked.active.extract.model_copy(update=one), features)
        evaluate(
            features,
            checked.active.evaluate.model_copy(update=one).of("cosine"),
            out_metrics=folder / "metrics.json",
            out_cmc=folder / "cmc.csv",
            out_queries=job.scores,
            out_ranking=folder / "ranking.npz",
        )
    shutil.rmtree(folder)


def trained(job: Job, model: Path, folder: Path, mistake: AbstractContextManager[object]) -> None:
    entry = plan(profile="embedded")["train"][job.run]
    with mistake:
        train(
            f"{job.run} {job.slip} {job.seed}",
            entry["system"],
            entry["network"],
            recipe(entry["system"], entry["recipe"]),
            job.seed,
            machine=Cluster.model_validate({**entry["machine"], "threads": 1}),
            archive=DATA[0],
            manifest=DATA[1],
            start=None,
            model_file=model,
            history_file=folder / "history.csv",
            code=entry["code"],
        )


Pair = tuple[int, int]
"""Seeds of the training before and of the one after."""


def read(job: Job) -> Queries:
    return queries.parse(job.scores.read_bytes(), job.scores)


def regressions(changes: list[Change], scatter: Noise, checked: Params) -> list[tuple[str, str]]:
    """Runs and metrics that `reidpipe check` would call one."""
    bounds = limits(changes, scatter, checked.active.evaluate.bootstrap, checked.check.false_alarms)
    return [
        (run, metric)
        for (run, metric), points in differences(changes).items()
        if (around := bounds.interval(run, metric, points))
        and verdict(points, checked.check.tolerance[metric], around[1]) == "regression"
    ]


def change(run: str, old: Queries, new: Queries, tolerance: Iterable[str]) -> Change:
    before, after = (dict(zip(METRICS, q.matrix().mean(0), strict=True)) for q in (old, new))
    return Change(run, {name: after[name] - before[name] for name in tolerance}, old, new)


def judged(slip: str, pairs: Iterable[Pair], checked: Params, scatter: Noise) -> dict[str, object]:
    """How many pairs (seed before, seed with the slip) are called a regression, and their loss.

    Of the pairs whose trainings are all there.
    """
    runs = SLIPS[slip].runs if slip else RUNS
    caught, losses = [], []
    for old, new in pairs:
        needed = [job for run in runs for job in (Job("", run, old), Job(slip, run, new))]
        if not all(job.scores.exists() for job in needed):
            continue
        changes = [
            change(run, read(Job("", run, old)), read(Job(slip, run, new)), checked.check.tolerance)
            for run in runs
        ]
        caught.append(bool(regressions(changes, scatter, checked)))
        losses.append(float(np.mean([found.difference["mAP"] for found in changes])))
    if len(caught) < FEWEST:
        return {"pairs": len(caught)}
    share = binomtest(sum(caught), len(caught)).proportion_ci(method="exact")
    return {
        "pairs": len(caught),
        "regressions": sum(caught),
        "share": [round(float(share.low), 2), round(float(share.high), 2)],
        "mAP_change": round(float(np.mean(losses)), 2),
        "mAP_change_std": round(float(np.std(losses, ddof=1)), 2),
    }


def judge() -> None:
    checked, scatter = params.load(profile="embedded"), noise(in_workspace(), "embedded")
    neighbours = [(seed, REPLAYS[index - 1]) for index, seed in enumerate(REPLAYS)]
    everyone = list(permutations(REPLAYS, 2))
    print(json.dumps({"slip": "none", **judged("", neighbours, checked, scatter)}), flush=True)
    shared = judged("", everyone, checked, scatter)
    shared.pop("share", None)
    print(json.dumps({"slip": "none, all pairs", **shared}), flush=True)
    for name, slip in SLIPS.items():
        # Each against a training with another seed: both sides have noise of their own.
        pairs = [(REPLAYS[index + 1], seed) for index, seed in enumerate(seeds(slip))]
        print(json.dumps({"slip": name, **judged(name, pairs, checked, scatter)}), flush=True)
    print(json.dumps({"slip": "visible", **visible(checked, scatter)}))


def visible(checked: Params, scatter: Noise) -> dict[str, float]:
    """The loss of mAP that is seen in nine of ten, by run and over all of them."""
    changes = [
        change(run, read(Job("", run, 100)), read(Job("", run, 101)), checked.check.tolerance)
        for run in RUNS
    ]
    bounds = limits(changes, scatter, checked.active.evaluate.bootstrap, checked.check.false_alarms)
    return {run: round(bounds.visible(run, "mAP"), 2) for run in (*RUNS, ALL)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--judge", action="store_true", help="train nothing")
    if not parser.parse_args().judge:
        missing = [job for job in jobs() if not job.scores.exists()]
        replays = [job for job in missing if not job.slip]
        with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
            # A replay's network is what the slips of testing need.
            for part in (replays, [job for job in missing if job.slip]):
                for _ in pool.imap_unordered(work, part, chunksize=1):
                    pass
    judge()


if __name__ == "__main__":
    main()

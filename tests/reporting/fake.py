"""A repository in which every stage but the report has run, on a few synthetic people.

Embeddings are drawn, not learnt: a vector per person plus noise that shrinks from run to run, so
that the runs differ in a known order. Rankings come from plain loops over the protocol.
"""

import csv
import shutil
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from reidpipe.datasets import splitting
from reidpipe.datasets.download import synthesised
from reidpipe.files import digest, write_csv, write_json
from reidpipe.formats import features, plan, queries, ranking
from reidpipe.formats import weights as checkpoint
from reidpipe.formats.features import Features
from reidpipe.formats.foreign import results as foreign
from reidpipe.formats.foreign.results import About
from reidpipe.formats.ranking import Ranking
from reidpipe.formats.settings.data import SyntheticSource
from reidpipe.layers.initial import initialise, torch_stream
from reidpipe.plan.resolve import resolve
from reidpipe.reporting.reading.experiment import Experiment, Run, experiment
from reidpipe.runtime.streams import stream
from reidpipe.systems.ours import Network

ROOT = Path(__file__).parents[2]
INPUTS = ("params.yaml", "runs.yaml", "dvc.yaml", "requirements.lock", "reports/published.yaml")
TOP, CURVE, DIMENSIONS = 20, 50, 16


def build(root: Path) -> None:
    """Fill `root` with inputs and the outputs of download to evaluate."""
    for name in INPUTS:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    for name in ("reidpipe", "stages"):
        (root / name).symlink_to(ROOT / name)
    _only_cite(root, "market1501-gpreid")
    resolve(root)
    made = resolved(root)
    for name, source in made.params.active.data.items():
        assert isinstance(source, SyntheticSource)
        small = source.model_copy(update={"train_ids": 6, "test_ids": 12, "distractors": 4})
        _data_set(root, name, small)
    for number, (name, run) in enumerate(made.runs.items()):
        _evaluated(root, name, run, noise=1.6 - 0.1 * number)
        _trained(root, name)
    for run_of in made.artifacts.values():  # their bytes are hashed, not read
        (root / f"runs/{run_of}/model.safetensors").write_bytes(run_of.encode())
    _judged(root, "theirs", "market1501-pcb")
    for name in ("market1501-baseline", "market1501-ours"):
        _model(root, name, made.runs[name], made.params.active.train["image_size"])


def _only_cite(root: Path, run: str) -> None:
    """As a row that nobody has built."""
    runs, published = root / "runs.yaml", root / "reports/published.yaml"
    lines = runs.read_text().splitlines(keepends=True)
    runs.write_text("".join(line for line in lines if not line.startswith(f"  {run}:")))
    published.write_text(published.read_text().replace(f"run: {run}, ", ""))


def resolved(root: Path) -> Experiment:
    """What the plan says of the report."""
    return experiment(plan.entry("report", path=root / plan.PLAN_FILE))


def _data_set(root: Path, name: str, source: SyntheticSource) -> None:
    zipped = root / f"data/raw/{name}.zip"
    synthesised(source, zipped)
    figures = splitting.split(zipped, root / f"data/splits/{name}.csv", source.layout)
    write_json(
        root / f"reports/data/{name}.json",
        {"layout": source.layout, **figures, "histogram_mAP": 12.5},
    )


def _evaluated(root: Path, name: str, run: Run, noise: float) -> None:
    rows = _test_rows(root / f"data/splits/{run.dataset}.csv")
    pid, camid = (np.array([int(row[key]) for row in rows]) for key in ("pid", "camid"))
    query = np.array([row["subset"] == "query" for row in rows])
    draw = stream(0, "features", run.dataset, "noise").normal(size=(len(rows), DIMENSIONS))
    people = {p: stream(0, "person", run.dataset, int(p)).normal(size=DIMENSIONS) for p in set(pid)}
    embedding = np.stack([people[p] for p in pid]) + noise * draw
    tensors = torch.tensor(embedding, dtype=torch.float32), torch.tensor(pid), torch.tensor(camid)
    found = Features(*tensors, queries=int(query.sum()))
    features.write(root / f"runs/{name}/features.safetensors", found, name)
    _ranked(root, name, embedding, np.stack([pid, camid]), query)


def _ranked(
    root: Path,
    name: str,
    embedding: NDArray[np.float64],
    labels: NDArray[np.int64],
    query: NDArray[np.bool_],
) -> None:
    unit = embedding / np.linalg.norm(embedding, axis=1, keepdims=True)
    distmat = 1 - unit[query] @ unit[~query].T
    (q_pid, q_cam), (g_pid, g_cam) = labels[:, query], labels[:, ~query]
    lists = []
    for number, distances in enumerate(distmat):
        same = g_pid == q_pid[number]
        order = np.argsort(distances, kind="stable")
        order = order[~(same & (g_cam == q_cam[number]))[order]]
        ranks = np.flatnonzero(same[order])
        if len(ranks):
            lists.append((number, ranks, order[:TOP], distances[order[:TOP]]))
    ap = np.array([np.mean(np.arange(1, len(r) + 1) / (r + 1)) for _, r, _, _ in lists])
    first = np.array([ranks[0] for _, ranks, _, _ in lists])
    found = Ranking(
        query=np.array([number for number, *_ in lists]),
        average_precision=ap,
        first_match=first,
        inp=np.array([len(r) / (r[-1] + 1) for _, r, _, _ in lists]),
        num_query=int(query.sum()),
        top=np.stack([top for *_, top, _ in lists]),
        top_distance=np.stack([far for *_, far in lists]).astype(np.float32),
    )
    ranking.write(root / f"runs/{name}/ranking.npz", found)
    curve = [float(100 * np.mean(first < rank)) for rank in range(1, CURVE + 1)]
    write_csv(root / f"reports/cmc/{name}.csv", ["rank", "cmc"], list(enumerate(curve, start=1)))
    mean = float(100 * ap.mean())
    metrics = {f"rank{k}": curve[k - 1] for k in (1, 5, 10)} | {"mAP": mean}
    ends = {"low": -2.0, "high": 3.0}
    bounds = {f"{k}_{end}": metrics[k] + by for k in metrics for end, by in ends.items()}
    write_json(
        root / f"reports/metrics/{name}.json", {**metrics, **bounds, "num_query": int(query.sum())}
    )


def _judged(root: Path, name: str, run: str) -> None:
    """Foreign features that score what a run on Market-1501 scores."""
    folder, split = root / foreign.FOLDER / name, root / "data/splits/market1501.csv"
    about = About(
        dataset="market1501",
        split=digest(split, "md5"),
        metric="euclidean",
        rerank=None,
        files={"theirs.npz": "00"},
    )
    foreign.write_about(folder / "about.json", about)
    shutil.copy(root / f"reports/metrics/{run}.json", folder / "metrics.json")
    queries.write(folder / "queries.csv", ranking.read(root / f"runs/{run}/ranking.npz").queries)


def _trained(root: Path, name: str) -> None:
    history = [(epoch, 1e-3, 4 / epoch, 4 / epoch, 100 - 90 / epoch) for epoch in range(1, 31)]
    header = ["epoch", "lr", "loss", "ce", "accuracy"]
    write_csv(root / f"runs/{name}/history.csv", header, history)


def _model(root: Path, name: str, run: Run, image_size: tuple[int, int]) -> None:
    model = Network(6, **run.network)
    initialise(model, torch_stream(0, "weights"))
    about = {**model.about(), "image_size": image_size, "run": name}
    checkpoint.save(root / f"runs/{name}/model.safetensors", model.state_dict(), about)


def _test_rows(manifest: Path) -> list[dict[str, str]]:
    with manifest.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["subset"] != "train"]

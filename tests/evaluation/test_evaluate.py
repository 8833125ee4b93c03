"""The evaluate stage: features in, four files out, or one message and no file."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from reidpipe.errors import UserError
from reidpipe.evaluation.evaluate import evaluate
from reidpipe.files import digest
from reidpipe.formats import queries, ranking
from reidpipe.formats import weights as checkpoint
from reidpipe.formats.ranking import Ranking
from reidpipe.formats.settings.evaluation import EvaluateParams
from reidpipe.metrics.bootstrap import paired

BOOTSTRAP = {"samples": 200}
PARAMS = EvaluateParams(bootstrap=BOOTSTRAP, device="cpu", top_k=10)
QUERIES, IMAGES = 90, 600


def tensors(noise: float = 1.2, seed: int = 0) -> dict[str, Tensor]:
    """30 people under 4 cameras, 20 numbers each; query 0 is of a person without a match."""
    source = torch.Generator().manual_seed(seed)
    pid = torch.randint(30, (QUERIES + IMAGES,), generator=torch.Generator().manual_seed(1))
    camid = torch.randint(4, pid.shape, generator=torch.Generator().manual_seed(2))
    pid[0] = 99
    centre = torch.randn(100, 20, generator=torch.Generator().manual_seed(3))
    embedding = centre[pid] + noise * torch.randn(len(pid), 20, generator=source)
    subset = (torch.arange(len(pid)) >= QUERIES).to(torch.uint8)
    return {"embedding": embedding, "pid": pid, "camid": camid, "subset": subset}


def evaluated(
    folder: Path, content: dict[str, Tensor], params: EvaluateParams = PARAMS
) -> dict[str, float]:
    checkpoint.save(folder / "features.safetensors", content, {"run": "test"})
    features = folder / "features.safetensors"
    evaluate(features, params, **outputs(folder / "out"))
    metrics: dict[str, float] = json.loads((folder / "out/metrics.json").read_text())
    return metrics


def outputs(folder: Path) -> dict[str, Path]:
    """Names of all that evaluation writes."""
    names = {"metrics": "metrics.json", "cmc": "cmc.csv", "queries": "queries.csv"}
    names |= {"ranking": "ranking.npz"}
    return {f"out_{kind}": folder / name for kind, name in names.items()}


def test_outputs_agree_with_each_other(tmp_path: Path) -> None:
    metrics = evaluated(tmp_path, tensors())
    found = ranking.read(tmp_path / "out/ranking.npz")
    with (tmp_path / "out/cmc.csv").open(newline="") as file:
        curve = {int(row["rank"]): float(row["cmc"]) for row in csv.DictReader(file)}
    assert list(curve) == list(range(1, 51))
    assert {k: curve[k] for k in (1, 5, 10, 20)} == pytest.approx(
        {k: metrics[f"rank{k}"] for k in (1, 5, 10, 20)}
    )
    assert metrics["mAP"] == pytest.approx(100 * found.average_precision.mean())
    assert metrics["mINP"] == pytest.approx(100 * found.inp.mean())
    assert (metrics["num_query"], metrics["num_skipped"]) == (QUERIES, 1)
    assert len(found.query) == QUERIES - 1
    assert 20 < metrics["mAP"] < 90
    path = tmp_path / "out/queries.csv"
    scores = queries.parse(path.read_bytes(), path).percent()
    assert {name: metrics[name] for name in scores} == pytest.approx(
        {name: values.mean() for name, values in scores.items()}, abs=1e-4
    )
    assert 50 < metrics["roc_auc"] < 100


@pytest.mark.parametrize("name", ["rank1", "rank5", "rank10", "rank20", "mAP", "mINP"])
def test_every_metric_lies_in_its_interval(tmp_path: Path, name: str) -> None:
    metrics = evaluated(tmp_path, tensors(noise=2))
    assert metrics[f"{name}_low"] < metrics[name] < metrics[f"{name}_high"]


@pytest.mark.parametrize("rerank", [None, {}])
def test_bytes_depend_on_neither_blocks_nor_threads(
    tmp_path: Path, rerank: dict[str, Any] | None
) -> None:
    threads = torch.get_num_threads()
    try:
        for name, block_mb, count in (("a", 1, 1), ("b", 64, 2), ("c", 3, 3)):
            changes = {"block_mb": block_mb, "threads": count, "rerank": rerank}
            content = {
                key: value.repeat(4, *[1] * (value.dim() - 1)) for key, value in tensors().items()
            }
            content["subset"] = content["subset"].sort().values
            evaluated(tmp_path / name, content, PARAMS.model_copy(update=changes))
    finally:
        torch.set_num_threads(threads)
    for file in ("metrics.json", "cmc.csv", "ranking.npz"):
        expected = (tmp_path / "a/out" / file).read_bytes()
        assert (tmp_path / "b/out" / file).read_bytes() == expected
        assert (tmp_path / "c/out" / file).read_bytes() == expected


def test_scale_of_an_embedding_matters_to_euclidean_alone(tmp_path: Path) -> None:
    scaled = tensors()
    scaled["embedding"] = scaled["embedding"] * torch.linspace(0.5, 2, QUERIES + IMAGES)[:, None]
    euclidean = PARAMS.model_copy(update={"metric": "euclidean"})
    cosine = [evaluated(tmp_path / "cos", content)["mAP"] for content in (tensors(), scaled)]
    plain = [
        evaluated(tmp_path / "euc", content, euclidean)["mAP"] for content in (tensors(), scaled)
    ]
    assert cosine[0] == pytest.approx(cosine[1], abs=0.01)
    assert abs(plain[0] - plain[1]) > 1


def test_reranking_helps_where_people_form_clusters(tmp_path: Path) -> None:
    reranked = PARAMS.model_copy(update={"rerank": {}})
    plain = evaluated(tmp_path, tensors())["mAP"]
    assert evaluated(tmp_path, tensors(), reranked)["mAP"] > plain + 5


def with_nan(content: dict[str, Tensor]) -> None:
    content["embedding"][3, 0] = torch.nan


def with_zeros(content: dict[str, Tensor]) -> None:
    content["embedding"][QUERIES:] = 0


def with_cameras_apart(content: dict[str, Tensor]) -> None:
    content["camid"][:] = 1
    content["camid"][content["pid"] == content["pid"][-1]] = 2


def without_gallery(content: dict[str, Tensor]) -> None:
    content["subset"][:] = 0


def out_of_order(content: dict[str, Tensor]) -> None:
    content["subset"] = content["subset"].flip(0)


def without_camid(content: dict[str, Tensor]) -> None:
    del content["camid"]


def with_other_subsets(content: dict[str, Tensor]) -> None:
    content["subset"][-1] = 2


def with_other_pids(content: dict[str, Tensor]) -> None:
    content["pid"] = content["pid"].float()


def with_fewer_pids(content: dict[str, Tensor]) -> None:
    content["pid"] = content["pid"][:3]


def with_flat_embeddings(content: dict[str, Tensor]) -> None:
    content["embedding"] = content["embedding"].flatten()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (with_nan, "query embeddings are not finite\n.*\n.*1 of 90 rows, the first 3"),
        (with_zeros, "gallery embeddings are zero(.|\n)*600 of 600 rows"),
        (with_cameras_apart, "no query has a true match(.|\n)*90 queries(.|\n)*2 camera"),
        (without_gallery, "there are no gallery images"),
        (out_of_order, "the gallery does not follow the queries"),
        (without_camid, "not a features file"),
        (with_other_subsets, "not a features file"),
        (with_other_pids, "not a features file(.|\n)*'pid': 'float32"),
        (with_fewer_pids, "not a features file(.|\n)*'pid': 'int64 .3."),
        (with_flat_embeddings, "not a features file(.|\n)*'embedding': 'float32 .13800."),
    ],
)
def test_bad_features_write_nothing(tmp_path: Path, spoil: object, message: str) -> None:
    content = tensors()
    assert callable(spoil)
    spoil(content)
    with pytest.raises(UserError) as error:
        evaluated(tmp_path, content)
    error.match(message)
    assert not (tmp_path / "out").exists()


def test_one_camera_has_counts_and_no_metrics(tmp_path: Path) -> None:
    content = tensors()
    content["camid"][:] = 1
    assert evaluated(tmp_path, content) == {"num_query": QUERIES, "num_skipped": QUERIES}
    assert (tmp_path / "out/cmc.csv").read_text() == "rank,cmc\n"
    found = ranking.read(tmp_path / "out/ranking.npz")
    assert (len(found.query), found.num_query) == (0, QUERIES)


def test_compare_a_better_run(tmp_path: Path) -> None:
    evaluated(tmp_path / "worse", tensors(noise=1.5))
    evaluated(tmp_path / "better", tensors(noise=1.2))
    a, b = (ranking.read(tmp_path / run / "out/ranking.npz").queries for run in ("worse", "better"))
    found = paired(a, b, BOOTSTRAP)
    assert list(found) == ["rank1", "rank5", "rank10", "rank20", "mAP", "mINP"]
    row = found["mAP"]
    gain = 100 * (b.average_precision - a.average_precision).mean()
    assert row.points == pytest.approx(gain)
    assert 0 < row.low < gain < row.high
    back = paired(b, a, BOOTSTRAP)["mAP"]
    assert (back.low, back.high) == pytest.approx((-row.high, -row.low))


def test_compare_refuses_other_queries(tmp_path: Path) -> None:
    evaluated(tmp_path, tensors())
    found = ranking.read(tmp_path / "out/ranking.npz")
    content = tensors()
    content["pid"][1] = 98
    evaluated(tmp_path, content)
    other = ranking.read(tmp_path / "out/ranking.npz")
    with pytest.raises(UserError, match="different queries"):
        paired(found.queries, other.queries, BOOTSTRAP)


def test_bytes_of_a_ranking_are_those_of_every_python(tmp_path: Path) -> None:
    """Taken with Python 3.11.2 and 3.11.7, between which zipfile changed its headers."""
    rows, halves = np.arange(3), np.linspace(0, 1, 3)
    top, distances = np.arange(6).reshape(3, 2), np.ones((3, 2), dtype=np.float32)
    found = Ranking(rows, rows, halves, halves, top, distances, num_query=4)
    ranking.write(tmp_path / "ranking.npz", found)
    assert digest(tmp_path / "ranking.npz") == (
        "9dd6650e19c8f82693888e0b7a7c67a48c172f7c73d72c45816a83142f1e2ddd"
    )


def test_a_broken_ranking_is_named(tmp_path: Path) -> None:
    (tmp_path / "short.npz").write_bytes(b"PK")
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "zip.npz").write_bytes(b"PK\x03\x04" + bytes(99))
    np.savez(tmp_path / "other.npz", query=np.arange(3))
    for name in ("short.npz", "empty.npz", "zip.npz", "other.npz"):
        with pytest.raises(UserError, match="not a ranking"):
            ranking.read(tmp_path / name)
    with pytest.raises(UserError, match="missing"):
        ranking.read(tmp_path / "none.npz")


def test_the_stage_reports_a_missing_run_in_one_message(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    (tmp_path / "plan.json").write_text(json.dumps({"evaluate": {"none": {"params": {}}}}))
    command = [sys.executable, str(root / "stages/evaluate.py"), "none"]
    environment = {"PYTHONPATH": str(root), "PATH": ""}
    result = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert "runs/none/features.safetensors" in result.stderr

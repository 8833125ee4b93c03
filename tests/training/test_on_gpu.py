"""What only a GPU shows: kernels without a deterministic form, its precisions, its memory."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from reidpipe.commands.doctor.training import step_cost
from reidpipe.errors import UserError
from reidpipe.evaluation.evaluate import evaluate
from reidpipe.extraction.embeddings import extract
from reidpipe.files import digest
from reidpipe.formats import ranking
from reidpipe.formats import weights as checkpoint
from reidpipe.formats.settings.evaluation import EvaluateParams
from reidpipe.formats.settings.extraction import ExtractParams
from reidpipe.formats.settings.training import Recipe
from reidpipe.runtime.settings import Cluster, Loading, Precision
from reidpipe.training.run import train
from tests.systems.small import SIZES
from tests.systems.small import recipe as small
from tests.training.dying import KilledError, die_in_step, save_every_step
from tests.training.process import OURS, changed

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is there")
Set = tuple[Path, Path]
LOSSES = 2, 3, 4
"""Columns of history.csv."""


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def larger(recipe: Recipe) -> Recipe:
    return changed(recipe, image_size=(64, 32))


def go(
    tiny_set: Set,
    recipe: Recipe,
    folder: Path,
    network: Mapping[str, Any] = OURS,
    *,
    workers: int = 0,
    precision: Precision = "bf16",
    device: str = "cuda",
    system: str = "ours",
) -> str:
    archive, manifest = tiny_set
    model, history = folder / "model.safetensors", folder / "history.csv"
    files: dict[str, Any] = {
        "archive": archive,
        "manifest": manifest,
        "model_file": model,
        "history_file": history,
    }
    loading = Loading(workers=workers)
    files |= {"machine": Cluster(device=device, threads=1, precision=precision)}
    train("tiny", system, network, recipe, 0, **files, start=None, code="tests", loading=loading)
    return digest(model) + digest(history)


@pytest.mark.parametrize("attention", ["none", "se", "eca", "cbam", "nonlocal", "danet"])
@pytest.mark.parametrize("backbone", ["resnet10_x0_5", "resnet50"])
def test_every_attention_trains_to_equal_bytes(
    tiny_set: Set, larger: Recipe, tmp_path: Path, attention: str, backbone: str
) -> None:
    """An operation without a deterministic form would stop with an error."""
    network = {**OURS, "attention": attention, "backbone": backbone}
    first = go(tiny_set, larger, tmp_path / "a", network)
    assert go(tiny_set, larger, tmp_path / "b", network) == first


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("system", sorted(set(SIZES) - {"ours"}))
def test_every_system_trains_to_equal_bytes(
    tiny_set: Set, tmp_path: Path, system: str, precision: Precision
) -> None:
    how: dict[str, Any] = {"system": system, "precision": precision}
    network = SIZES[system].network
    first = go(tiny_set, small(system), tmp_path / "a", network, **how)
    assert go(tiny_set, small(system), tmp_path / "b", network, **how) == first


@pytest.mark.parametrize("classifier", ["linear", "unified"])
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_every_precision_and_head_trains_to_equal_bytes_with_any_workers(
    tiny_set: Set, larger: Recipe, tmp_path: Path, classifier: str, precision: Precision
) -> None:
    network = {**OURS, "classifier": classifier, "triplet": False}
    alone = go(tiny_set, larger, tmp_path / "a", network, precision=precision)
    assert go(tiny_set, larger, tmp_path / "b", network, workers=2, precision=precision) == alone


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_killed_the_next_run_ends_with_the_same_bytes(
    tiny_set: Set,
    larger: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    precision: Precision,
) -> None:
    undisturbed = go(tiny_set, larger, tmp_path / "a", precision=precision)
    save_every_step(monkeypatch)
    die_in_step(monkeypatch, 6)
    with pytest.raises(KilledError):
        go(tiny_set, larger, tmp_path / "b", precision=precision)
    assert go(tiny_set, larger, tmp_path / "b", precision=precision) == undisturbed


def test_the_first_losses_are_the_cpus(tiny_set: Set, recipe: Recipe, tmp_path: Path) -> None:
    one_step = changed(recipe, epochs=1, milestones=(), identities=6)
    rows = []
    for device in ("cpu", "cuda"):
        go(tiny_set, one_step, tmp_path / device, precision="fp32", device=device)
        row = (tmp_path / device / "history.csv").read_text().splitlines()[1].split(",")
        rows.append([float(row[column]) for column in LOSSES])
    assert rows[1] == pytest.approx(rows[0], rel=1e-3)


def test_a_step_that_does_not_fit_says_what_to_lower(
    tiny_set: Set, larger: Recipe, tmp_path: Path
) -> None:
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.005)
    try:
        with pytest.raises(UserError, match="the GPU's memory is full"):
            go(tiny_set, changed(larger, image_size=(2048, 1024)), tmp_path)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert not (tmp_path / "model.safetensors").exists()


def test_features_and_figures_are_the_cpus(tiny_set: Set, recipe: Recipe, tmp_path: Path) -> None:
    archive, manifest = tiny_set
    lines = manifest.read_text().splitlines()
    test = tmp_path / "test.csv"
    rows = [line.split(",") for line in lines[1:]]
    for number, row in enumerate(rows):
        row[3:] = ["gallery" if number % 4 else "query", "-1"]
    rows.sort(key=lambda row: row[3] == "gallery")
    test.write_text("\n".join([*lines, *map(",".join, rows)]) + "\n")
    go(tiny_set, recipe, tmp_path, precision="fp32", device="cpu")
    found = {}
    ways: dict[str, tuple[dict[str, object], int]] = {
        "cpu": ({"device": "cpu"}, 0),
        "cuda": ({"device": "cuda"}, 2),
        "again": ({"device": "cuda"}, 0),
        "bf16": ({"device": "cuda", "precision": "bf16"}, 0),
    }
    for name, (change, workers) in ways.items():
        out = tmp_path / f"{name}.safetensors"
        chosen = ExtractParams.model_validate({"batch_size": 7} | change)
        extract(tmp_path / "model.safetensors", archive, test, chosen, out, workers=workers)
        found[name] = checkpoint.load(out)[0]["embedding"]
    torch.testing.assert_close(found["cuda"], found["cpu"], rtol=1e-3, atol=1e-3)
    assert digest(tmp_path / "cuda.safetensors") == digest(tmp_path / "again.safetensors")
    assert torch.cosine_similarity(found["bf16"], found["cpu"]).min() > 0.99
    for rerank in (None, {"k1": 4, "k2": 2}):
        made = {}
        for device in ("cpu", "cuda"):
            folder = tmp_path / f"{device}{rerank is not None}"
            params = EvaluateParams(device=device, rerank=rerank, top_k=5)
            evaluate(
                tmp_path / "cpu.safetensors",
                params,
                out_metrics=folder / "metrics.json",
                out_cmc=folder / "cmc.csv",
                out_queries=folder / "queries.csv",
                out_ranking=folder / "ranking.npz",
            )
            made[device] = ranking.read(folder / "ranking.npz")
        assert (made["cpu"].first_match == made["cuda"].first_match).all()
        assert made["cuda"].average_precision == pytest.approx(made["cpu"].average_precision)


def test_the_doctor_measures_a_step(recipe: Recipe) -> None:
    seconds, gigabytes = step_cost(
        {"system": "ours", "network": OURS}, recipe, Cluster(), torch.device("cuda")
    )
    assert 0 < seconds < 10
    assert 0 < gigabytes < 10

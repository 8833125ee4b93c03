"""Triplets from a pool: the hardest pairs, another pool in each epoch, and a death in any step."""

from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from reidpipe.errors import UserError
from reidpipe.files import digest
from reidpipe.formats.settings.training import Pool
from reidpipe.runtime.streams import stream
from reidpipe.systems.gpreid import Network
from reidpipe.training import mining, position
from reidpipe.training.interruption import Stop
from reidpipe.training.run import train, training_set
from tests.systems.small import SIZES, network, recipe
from tests.training.dying import KilledError, die_in_step, save_every_step
from tests.training.process import MACHINE

Set = tuple[Path, Path]
STEPS = 2 * 3 + 2 * 3
"""24 images, 8 at a time, twice; two pools of three batches."""


def pool(**changes: int) -> Pool:
    return Pool.model_validate({"images": 40, "triplets": 3, "updates": 4, "hardest": 5, **changes})


def hardest_pairs(
    feature: Tensor, labels: list[int], query: int, count: int
) -> list[tuple[int, int]]:
    """All pairs of a positive and a negative, sorted: the slow and obvious way."""
    rows = range(len(labels))
    gaps = {
        (p, n): float(((feature[query] - feature[p]) ** 2).sum())
        - float(((feature[query] - feature[n]) ** 2).sum())
        for p in rows
        for n in rows
        if p != query and labels[p] == labels[query] and labels[n] != labels[query]
    }
    return sorted(gaps, key=lambda pair: -gaps[pair])[:count]


@pytest.mark.parametrize("hardest", [1, 5, 1000])
def test_pairs_are_among_the_hardest_of_a_full_sort(hardest: int) -> None:
    labels = np.array([0] * 9 + [1] * 6 + [2] * 2 + [3])
    random = torch.Generator().manual_seed(3)
    # Of several lengths, so that no inner product stands for a distance.
    feature = torch.randn(len(labels), 8, generator=random, dtype=torch.float64)
    found = mining.triplets(feature, labels, pool(hardest=hardest), stream("mine"))
    assert found.shape == (4, 9)
    taken = found.reshape(-1, 3)
    for query, positive, negative in taken.tolist():
        assert (positive, negative) in hardest_pairs(feature, labels.tolist(), query, hardest)
    assert len(set(taken[:, 0])) == len(taken), "queries are all different"
    assert 17 not in taken[:, 0], "it has no other image"


def test_chance_takes_any_of_the_hardest_pairs() -> None:
    labels = np.repeat([0, 1], 6)
    feature = F.normalize(torch.randn(12, 4, dtype=torch.float64))
    seen = set()
    for number in range(60):
        found = mining.triplets(feature, labels, pool(hardest=3), stream("pairs", number))
        seen |= {tuple(pair) for query, *pair in found.reshape(-1, 3).tolist() if query == 0}
    assert seen == set(hardest_pairs(feature, labels.tolist(), 0, 3))


def test_no_query_is_its_own_positive() -> None:
    """Even where every pair counts as one of the hardest."""
    found = mining.triplets(
        torch.eye(4), np.array([0, 0, 1, 1]), pool(hardest=1000, updates=20), stream("own")
    )
    query, positive, _ = found.reshape(-1, 3).T
    assert (positive == np.array([1, 0, 3, 2])[query]).all()


def test_queries_come_again_where_there_are_too_few() -> None:
    labels = np.array([0, 0, 1, 2, 3])
    found = mining.triplets(torch.eye(5), labels, pool(), stream("few"))
    assert set(found.reshape(-1, 3)[:, 0]) == {0, 1}


@pytest.mark.parametrize("labels", [[0, 1, 2, 3], [7, 7, 7], []])
def test_a_pool_without_a_triplet_is_refused(labels: list[int]) -> None:
    with pytest.raises(UserError, match="no triplet"):
        mining.triplets(torch.eye(len(labels)), np.array(labels), pool(), stream("none"))


def test_embedding_puts_all_parts_back_as_they_were() -> None:
    model = network("gpreid").train()
    model.get_submodule("backbone.bn1").eval()
    before = [module.training for module in model.modules()]
    with mining._testing(model):
        assert not any(module.training for module in model.modules())
    assert [module.training for module in model.modules()] == before


@pytest.fixture(scope="module")
def undisturbed(tiny_set: Set, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the training ends with."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with chdir(folder):
        return run(tiny_set, folder, "a")


def run(tiny_set: Set, tmp_path: Path, name: str) -> str:
    archive, manifest = tiny_set
    model, history = (tmp_path / name / kind for kind in ("model", "history.csv"))
    train(
        "tiny",
        "gpreid",
        SIZES["gpreid"].network,
        recipe("gpreid"),
        0,
        machine=MACHINE,
        archive=archive,
        manifest=manifest,
        start=None,
        model_file=model,
        history_file=history,
        code="tests",
    )
    return digest(model) + digest(history)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_epoch_is_a_pool_of_the_network_as_it_is_then(
    tiny_set: Set, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pools, ranking = [], []
    mined = mining.mined

    def noted(model: Network, *rest: object) -> object:
        ranking.append(bool(model.ranking))
        rows = mined(model, *rest)  # type: ignore[arg-type]
        pools.append(np.concatenate(rows).tolist())
        return rows

    monkeypatch.setattr("reidpipe.training.loop.mined", noted)
    run(tiny_set, folder, "a")
    assert ranking == [True, True]
    assert [len(rows) for rows in pools] == [3 * 6, 3 * 6]
    assert pools[0] != pools[1]
    lines = (folder / "a/history.csv").read_text().splitlines()
    assert lines[0] == "epoch,lr,loss,ce,triplet,accuracy,phase"
    assert [line.rsplit(",", 1)[1] for line in lines[1:]] == 2 * ["classification"] + 2 * [
        "ranking"
    ]
    assert [float(line.split(",")[3]) > 0 for line in lines[1:]] == [True, True, False, False]


@pytest.mark.parametrize("death", range(2, STEPS + 1, 2))
def test_killed_in_any_phase_the_bytes_are_the_undisturbed_ones(
    tiny_set: Set, undisturbed: str, folder: Path, monkeypatch: pytest.MonkeyPatch, death: int
) -> None:
    """What is saved in a pool's epoch would not know the pool: it is saved where epochs end."""
    save_every_step(monkeypatch)
    die_in_step(monkeypatch, death)
    with pytest.raises(KilledError):
        run(tiny_set, folder, "b")
    assert run(tiny_set, folder, "b") == undisturbed


def test_asked_to_stop_it_finishes_the_pool_and_saves(
    tiny_set: Set, undisturbed: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, saved = [], []
    save = position.keep

    def asked(_self: Stop, _device: torch.device) -> bool:
        """From the first step of the first pool on."""
        steps.append(1)
        return len(steps) >= 7

    def noted(state: object, where: position.Position, *rest: object) -> None:
        saved.append((where.epoch, where.step))
        save(state, where, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("reidpipe.training.loop.keep", noted)
    monkeypatch.setattr(Stop, "noticed_by_any", asked)
    with pytest.raises(SystemExit):
        run(tiny_set, folder, "b")
    assert len(steps) == 9
    assert saved[-1] == (2, 3)
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    assert run(tiny_set, folder, "b") == undisturbed


def test_each_epoch_draws_its_own_pool(tiny_set: Set) -> None:
    """Of a network that stays as it is: the same rows in the same epoch, others in another."""
    archive, manifest = tiny_set
    data = training_set(archive, manifest, recipe("gpreid"), 0)
    model, small = network("gpreid"), pool(images=16)
    first, again, other = (
        np.concatenate(mining.mined(model, data, small, epoch, torch.device("cpu"), "fp32"))
        for epoch in (0, 0, 1)
    )
    assert first.tolist() == again.tolist()
    assert set(first.tolist()) != set(other.tolist())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_distances_are_of_float32(
    tiny_set: Set, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    archive, manifest = tiny_set
    data = training_set(archive, manifest, recipe("gpreid"), 0)
    halves: list[bool] = []
    found = mining.triplets

    def noted(feature: Tensor, *rest: object) -> object:
        halves.append(torch.is_autocast_enabled("cpu"))
        assert feature.dtype == torch.float32
        return found(feature, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(mining, "triplets", noted)
    rows = mining.mined(network("gpreid"), data, pool(images=20), 0, torch.device("cpu"), precision)
    assert halves == [False]
    assert [len(row) for row in rows] == [9] * 4

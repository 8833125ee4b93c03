"""Camera pairs and conditions against plain loops."""

from pathlib import Path

import numpy as np
import pytest
import torch

from reidpipe.formats import weights as checkpoint
from reidpipe.reporting.reading.inputs import Inputs
from reidpipe.reporting.science import conditions
from reidpipe.reporting.science.camera_pairs import camera_pairs
from reidpipe.reporting.science.conditions import by_condition

FEATURES = "runs/market1501-ours/features.safetensors"


def average_precision(distances: np.ndarray, matches: np.ndarray) -> float:
    """One match after the other."""
    hits, total = 0, 0.0
    for rank, index in enumerate(np.argsort(distances, kind="stable"), start=1):
        if matches[index]:
            hits += 1
            total += hits / rank
    return total / hits


def test_camera_pairs_are_the_loops(inputs: Inputs) -> None:
    tensors, _ = checkpoint.load(inputs.root / FEATURES)
    unit = torch.nn.functional.normalize(tensors["embedding"].double(), dim=1).numpy()
    pid, camid, subset = (tensors[name].numpy() for name in ("pid", "camid", "subset"))
    found = camera_pairs(inputs.root / FEATURES, inputs.params.active.evaluate.of("cosine"))
    for row, ours in enumerate(found.cameras):
        for column, other in enumerate(found.cameras):
            gallery = (subset == 1) & (camid == other)
            values = [
                average_precision(1 - unit[gallery] @ unit[query], pid[gallery] == pid[query])
                for query in np.flatnonzero((subset == 0) & (camid == ours))
                if ours != other and (pid[gallery] == pid[query]).any()
            ]
            expected = 100 * np.mean(values) if values else np.nan
            assert found.mean_ap[row, column] == pytest.approx(expected, nan_ok=True)
    assert np.isnan(np.diag(found.mean_ap)).all()
    assert np.isfinite(found.mean_ap).sum() > 10


def test_features_are_left_as_they_were(inputs: Inputs) -> None:
    before = Path(inputs.root / FEATURES).read_bytes()
    camera_pairs(inputs.root / FEATURES, inputs.params.active.evaluate.of("cosine"))
    assert Path(inputs.root / FEATURES).read_bytes() == before


def test_every_query_is_in_one_group_of_each_condition(
    inputs: Inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reidpipe.reporting.science.conditions.FEWEST", 1)
    data = inputs.data_set("market1501")
    ranking = inputs.results["market1501-ours"].ranking
    members = [shot.member for shot in data.subsets["query"]]
    groups = by_condition(data.zipped, members, ranking, {"samples": 50})
    for condition in ("Viewpoint", "Occlusion", "Light"):
        own = [group for group in groups if group.condition == condition]
        assert sum(group.queries for group in own) == len(ranking.query)
        mean = sum(group.queries * group.mean_ap for group in own) / len(ranking.query)
        assert mean == pytest.approx(100 * ranking.average_precision.mean())
        assert all(group.low <= group.mean_ap <= group.high for group in own)
    assert len({group.label for group in groups}) == len(groups)


@pytest.mark.parametrize(
    ("yaw", "view"),
    [
        *((0, "front"), (-45, "front"), (46, "side"), (-90, "side"), (270, "side")),
        *((135, "back"), (180, "back"), (-170, "back"), (350, "front"), (530, "back")),
    ],
)
def test_views_of_any_winding(yaw: float, view: str) -> None:
    assert conditions._view(yaw) == view


def test_amounts() -> None:
    shares = [conditions._hidden(share) for share in (0, 0.049, 0.05, 0.249, 0.25, 1)]
    assert shares == [*["in full view"] * 2, *["partly hidden"] * 2, *["much hidden"] * 2]
    lights = [conditions._light(factor) for factor in (0.5, 0.85, 1, 1.15, 1.2)]
    assert lights == ["dim", "usual", "usual", "usual", "bright"]

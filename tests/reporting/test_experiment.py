"""Runs as dvc.yaml names them."""

from pathlib import Path

import pytest

from reidpipe.errors import UserError
from reidpipe.params import Params
from reidpipe.reporting.experiment import load_runs

ROWS = ["baseline", "tri", "se", "danet", "nonlocal", "eca", "tri-cir", "ours"]
DATASETS = ["market1501", "dukemtmc", "msmt17"]


def test_the_eleven_runs(repository: Path, params: Params) -> None:
    runs = load_runs(repository / "dvc.yaml", params)
    expected = [f"market1501-{row}" for row in ROWS]
    assert list(runs) == expected + [f"{name}-ours-pretrained" for name in DATASETS]
    assert [name for name, run in runs.items() if run.pretrained] == list(runs)[-3:]


def test_ours_takes_the_knobs(repository: Path, params: Params) -> None:
    other = params.model_copy(update={"attention": "eca", "triplet": False})
    runs = load_runs(repository / "dvc.yaml", other)
    ours = runs["market1501-ours"].model
    assert (ours.attention, ours.classifier, ours.triplet) == ("eca", "circle", False)
    assert runs["market1501-se"].model.attention == "se"


@pytest.mark.parametrize("text", ["stages: {}", "stages: {train: {foreach: {a: {b: 1}}}}", "[", ""])
def test_other_shapes_are_refused(tmp_path: Path, params: Params, text: str) -> None:
    (tmp_path / "dvc.yaml").write_text(text)
    with pytest.raises(UserError, match="runs cannot be read"):
        load_runs(tmp_path / "dvc.yaml", params)

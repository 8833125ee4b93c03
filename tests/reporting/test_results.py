"""Results of exactly the runs in runs.yaml."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from reidpipe.errors import UserError
from reidpipe.reporting.reading.inputs import Inputs
from reidpipe.reporting.reading.results import load_results


def test_scores_average_to_the_metrics(inputs: Inputs) -> None:
    for result in inputs.results.values():
        for metric in ("rank1", "rank5", "rank10", "mAP"):
            assert np.isclose(
                result.ranking.queries.percent()[metric].mean(), result.metrics[metric]
            )


@pytest.mark.parametrize(
    ("file", "gone", "found"),
    [
        ("reports/metrics/market1501-se.json", True, "missing: market1501-se; extra: none"),
        ("reports/metrics/market1501-old.json", False, "missing: none; extra: market1501-old"),
        ("reports/cmc/market1501-se.csv", True, "market1501-se.csv"),
        ("runs/market1501-se/ranking.npz", True, "ranking.npz"),
        ("runs/market1501-se/ranking.npz", False, "not a ranking"),
        ("runs/market1501-se/history.csv", True, "history.csv"),
        ("runs/market1501-se/history.csv", False, "a row per epoch"),
        ("reports/metrics/market1501-se.json", False, "cannot be read"),
    ],
)
def test_missing_extra_and_broken_files(
    inputs: Inputs, tmp_path: Path, file: str, gone: bool, found: str
) -> None:
    for folder in ("reports/metrics", "reports/cmc"):
        shutil.copytree(inputs.root / folder, tmp_path / folder)
    for run in inputs.runs:
        (tmp_path / "runs" / run).mkdir(parents=True)
        for name in ("ranking.npz", "history.csv"):
            shutil.copy(inputs.root / "runs" / run / name, tmp_path / "runs" / run)
    if gone:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_text("not this")
    with pytest.raises(UserError) as error:
        load_results(inputs.runs, tmp_path, 0)
    assert found in str(error.value)
    assert "dvc repro" in str(error.value)

"""The model card: each artifact with its own figures, and the terms that its data have."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from reidpipe.errors import UserError
from reidpipe.files import digest
from reidpipe.params import ArchiveSource
from reidpipe.reporting.inputs import Inputs
from reidpipe.reporting.model_card import load_artifacts, write_model_card

ROOT = Path(__file__).parents[2]


def test_each_artifact_is_an_output_of_a_training() -> None:
    runs = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["train"]["foreach"]
    artifacts = load_artifacts(ROOT / "dvc.yaml")
    assert artifacts
    for artifact in artifacts.values():
        assert artifact.run in runs
        assert artifact.path == f"runs/{artifact.run}/model.safetensors"


def test_figures_and_checksums_are_those_of_the_model(reported: Path) -> None:
    card = (reported / "reports/model_card.md").read_text()
    with (reported / "reports/tables/table3.csv").open() as file:
        row = next(line for line in csv.DictReader(file) if line["status"] == "rebuilt")
    lines = [line for line in card.splitlines() if line.startswith("| ours-dukemtmc ")]
    assert digest(reported / "runs/dukemtmc-ours-pretrained/model.safetensors") in lines[0]
    assert f" {row['mAP_rebuilt']} [" in lines[1]
    assert "NOT comparable" in card
    assert "Nobody was photographed" in card


def test_weights_learnt_from_photographs_have_the_terms_of_the_photographs(
    inputs: Inputs, tmp_path: Path
) -> None:
    source = ArchiveSource(source="archive", layout="msmt17", file="MSMT17_V1.tar.gz")
    profile = inputs.params.embedded
    real = profile.model_copy(update={"data": {**profile.data, "msmt17": source}})
    params = inputs.params.model_copy(update={"embedded": real})
    write_model_card(replace(inputs, params=params), tmp_path / "card.md")
    card = (tmp_path / "card.md").read_text()
    assert "learnt from MSMT17 V1: " in card
    assert "for research only" in card
    assert "Nobody was photographed" not in card


def test_an_artifact_of_no_run_is_refused(inputs: Inputs, tmp_path: Path) -> None:
    other = {"artifacts": {"mine": {"path": "runs/mine/model.safetensors"}}}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump(other))
    with pytest.raises(UserError, match="'mine' is of no run"):
        write_model_card(replace(inputs, root=tmp_path), tmp_path / "card.md")
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"artifacts": {"mine": {"type": "model"}}}))
    with pytest.raises(UserError, match="artifacts cannot be read"):
        load_artifacts(tmp_path / "dvc.yaml")

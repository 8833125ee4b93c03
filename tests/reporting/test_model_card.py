"""The model card: each artifact with its own figures, and the terms that its data have."""

import csv
from dataclasses import replace
from pathlib import Path

import yaml

from reidpipe.files import digest
from reidpipe.formats.settings.data import ArchiveSource
from reidpipe.reporting.model_card import write_model_card
from reidpipe.reporting.reading.inputs import Inputs

ROOT = Path(__file__).parents[2]


def test_each_artifact_is_an_output_of_a_training() -> None:
    runs = yaml.safe_load((ROOT / "runs.yaml").read_text())["runs"]
    artifacts = yaml.safe_load((ROOT / "dvc.yaml").read_text())["artifacts"]
    assert artifacts
    for artifact in artifacts.values():
        assert artifact["path"] in {f"runs/{run}/model.safetensors" for run in runs}


def test_figures_and_checksums_are_those_of_the_model(reported: Path) -> None:
    card = (reported / "reports/model_card.md").read_text()
    with (reported / "reports/tables/table3.csv").open() as file:
        row = next(line for line in csv.DictReader(file) if line["method"] == "Ours")
    lines = [line for line in card.splitlines() if line.startswith("| ours-dukemtmc ")]
    assert digest(reported / "runs/dukemtmc-ours-pretrained/model.safetensors") in lines[0]
    assert f" {row['mAP_rebuilt']} [" in lines[1]
    assert "NOT comparable" in card
    assert "Nobody was photographed" in card


def test_weights_learnt_from_photographs_have_the_terms_of_the_photographs(
    inputs: Inputs, tmp_path: Path
) -> None:
    source = ArchiveSource(source="archive", layout="msmt17", file="MSMT17_V1.tar.gz")
    profile = inputs.params.active
    real = profile.model_copy(update={"data": {**profile.data, "msmt17": source}})
    params = inputs.params.model_copy(update={"embedded": real})
    made = replace(inputs.experiment, params=params)
    write_model_card(replace(inputs, experiment=made), tmp_path / "card.md")
    card = (tmp_path / "card.md").read_text()
    assert "learnt from MSMT17 V1: " in card
    assert "for research only" in card
    assert "Nobody was photographed" not in card

"""The backbone that pre-trained runs start from: torchvision's file, or trained on other people."""

import pickle
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.hub import download_url_to_file

from reidpipe import checkpoint
from reidpipe.data import packing, splitting, synthetic
from reidpipe.data.sources.locating import folder
from reidpipe.errors import UserError
from reidpipe.files import digest
from reidpipe.models.reid import ReID, backbone_state, load_backbone
from reidpipe.params import (
    CircleParams,
    SyntheticSource,
    SyntheticWeights,
    TorchvisionWeights,
    TrainParams,
)
from reidpipe.runtime import machine
from reidpipe.training.run import Run, train

# torchvision's two ResNet-50 files (its ResNet50_Weights names the addresses). The eight digits of
# the file name are the first of its sha256.
TORCHVISION = "https://download.pytorch.org/models/"


def backbone_weights(
    source: SyntheticWeights | TorchvisionWeights, params: TrainParams, out: Path
) -> None:
    """Write the backbone's tensors to `out`: torchvision's names, without its classifier."""
    machine.pin(params.instructions)  # reading a file makes a network too, to see that it fits
    if isinstance(source, SyntheticWeights):
        tensors = trained_on_others(source, params)
    else:
        tensors = from_torchvision(source)
    check_loads(tensors, params.backbone)
    checkpoint.save(out, tensors, {"backbone": params.backbone, "source": source.source})


def trained_on_others(source: SyntheticWeights, params: TrainParams) -> dict[str, Tensor]:
    """Train on synthetic people whose seed no data set shares, so that nobody is seen twice."""
    people = SyntheticSource(
        source="synthetic",
        layout="market1501",
        cameras=source.cameras,
        train_ids=source.identities,
        test_ids=1,
        seed=source.seed,
    )
    run = Run("weights", attention="none", classifier="linear", triplet=True)
    recipe = params.model_copy(update={**source.schedule.model_dump(), "devices": 1, "nodes": 1})
    with tempfile.TemporaryDirectory() as folder_name:
        scratch = Path(folder_name)
        zipped, manifest, model = (scratch / name for name in ("a.zip", "a.csv", "model"))
        synthetic.generate(scratch / "raw.zip", people)
        packing.pack(scratch / "raw.zip", zipped, people.layout)
        splitting.split(zipped, manifest, people.layout)
        files: dict[str, Any] = {"archive": zipped, "manifest": manifest, "model_file": model}
        train(run, recipe, source.seed, **files, weights=None, history_file=scratch / "history.csv")
        tensors, about = checkpoint.load(model)
    trained = ReID.from_about(about)
    trained.load_state_dict(tensors)
    return backbone_state(trained)


def from_torchvision(source: TorchvisionWeights) -> dict[str, Tensor]:
    """Read torchvision's file from REIDPIPE_ARCHIVES, or fetch it where the parameters say so."""
    path = folder() / source.file
    if not path.exists():
        if not source.download:
            raise UserError(
                "the ImageNet weights are missing",
                where=path,
                expected=f"torchvision's file {source.file}",
                found="no such file",
                fix="put it there, set REIDPIPE_ARCHIVES to its folder, or weights.download: true",
            )
        download(TORCHVISION + source.file, path, expected_digest(source))
    check_digest(path, source)
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise UserError("not a weights file of torch", where=path, found=error) from None
    if not isinstance(tensors, dict):
        found = type(tensors).__name__
        raise UserError("not a state dict", where=path, expected="tensors by name", found=found)
    return {name: value for name, value in tensors.items() if not name.startswith("fc.")}


def download(url: str, path: Path, sha256: str) -> None:
    """Fetch torchvision's file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        download_url_to_file(url, str(path), sha256, progress=sys.stderr.isatty())
    except (OSError, RuntimeError) as error:  # the latter for another checksum
        raise UserError(
            "the ImageNet weights cannot be fetched",
            where=url,
            found=error,
            fix=f"fetch the file on a machine that can, and put it at {path}",
        ) from None


def expected_digest(source: TorchvisionWeights) -> str:
    """The beginning of the sha256, in small letters."""
    return (source.sha256 or source.file[-12:-4]).lower()


def check_digest(path: Path, source: TorchvisionWeights) -> None:
    """Compare with the checksum of the parameters, or the one in torchvision's file name."""
    expected = expected_digest(source)
    found = digest(path)
    if not found.startswith(expected):
        raise UserError(
            "the weights file is another one, or damaged",
            where=path,
            expected=f"sha256 {expected}...",
            found=f"sha256 {found}",
            fix="fetch it again, or set weights.sha256 to the file that you mean",
        )


def check_loads(tensors: dict[str, Tensor], backbone: str) -> None:
    """Refuse, by name, what a plain backbone would not take; better here than in every run."""
    plain = ReID(
        backbone=backbone,
        attention="none",
        attention_options={},
        classifier="linear",
        circle=CircleParams(),
        num_classes=2,
    )
    load_backbone(plain, tensors)

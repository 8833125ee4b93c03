"""What the weights stage does: first weights, at random, of torchvision, or of other people."""

import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from torch import Tensor
from torch.hub import download_url_to_file

from reidpipe.datasets import download as downloads
from reidpipe.datasets import splitting
from reidpipe.datasets.sources.locating import folder
from reidpipe.errors import UserError
from reidpipe.files import digest
from reidpipe.formats import weights
from reidpipe.formats.checkpoints import files
from reidpipe.formats.checkpoints.renaming import renamed
from reidpipe.formats.settings.data import SyntheticSource
from reidpipe.formats.settings.training import (
    FileWeights,
    RandomWeights,
    SyntheticWeights,
    TorchvisionWeights,
    WeightsSource,
)
from reidpipe.layers.trunks import load_trunk, trunk_state
from reidpipe.runtime import machine
from reidpipe.runtime.settings import Cluster
from reidpipe.systems import network, recipe, trained
from reidpipe.training.run import train

# Where torchvision's files lie. The eight digits of a file's name are the first of its sha256.
TORCHVISION = "https://download.pytorch.org/models/"
_DOTTED = re.compile(r"\.(norm|conv)\.([12])\.")


def first_weights(entry: Mapping[str, Any], out: Path) -> str:
    """Write the tensors that `entry` of the plan asks for, by the names of the system's trunk.

    Returns what is worth saying about where they come from, or nothing.

    Those of a ResNet are torchvision's without fc. A file without tensors stands for random
    weights, which each run draws by its own seed.
    """
    source: RandomWeights | SyntheticWeights | TorchvisionWeights | FileWeights
    source = TypeAdapter(WeightsSource).validate_python(entry["source"])
    if isinstance(source, RandomWeights):
        weights.save(out, {}, {"source": source.source})
        return ""
    machine.pin(entry["instructions"])  # reading a file makes a network too, to see that it fits
    said = ""
    if isinstance(source, SyntheticWeights):
        tensors = trained_on_others(source, entry)
    elif isinstance(source, TorchvisionWeights):
        tensors = from_torchvision(source)
    else:
        tensors, said = of_others(source)
    trunk = network(entry["system"])(1, **entry["network"]).backbone
    load_trunk(trunk, tensors)  # what does not fit is named here, not in every run
    weights.save(out, tensors, {"backbone": trunk.name, "source": source.source})
    return said


def trained_on_others(source: SyntheticWeights, entry: Mapping[str, Any]) -> dict[str, Tensor]:
    """Train on synthetic people whose seed no data set shares, so that nobody is seen twice."""
    people = SyntheticSource(
        layout="market1501",
        cameras=source.cameras,
        train_ids=source.identities,
        test_ids=1,
        seed=source.seed,
    )
    with tempfile.TemporaryDirectory() as scratch:
        zipped, manifest, model = (Path(scratch, name) for name in ("a.zip", "a.csv", "model"))
        downloads.synthesised(people, zipped)
        splitting.split(zipped, manifest, people.layout)
        train(
            "weights",
            entry["system"],
            entry["network"],
            recipe(entry["system"], entry["recipe"]),
            source.seed,
            machine=Cluster.model_validate(entry["machine"]),
            archive=zipped,
            manifest=manifest,
            start=None,
            model_file=model,
            history_file=Path(scratch, "history.csv"),
            code=entry["code"],
        )
        return trunk_state(trained.load(model).model.backbone)


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
                fix="put it there, set REIDPIPE_ARCHIVES to its folder, or let it be fetched: "
                "download: true, in the weights of the profile",
            )
        download(TORCHVISION + source.file, path, expected_digest(source))
    tensors = read(path, source)
    return {
        # DenseNets' files are of a time when names had one more dot.
        _DOTTED.sub(r".\1\2.", name): value
        for name, value in tensors.items()
        if not name.startswith(("fc.", "classifier."))
    }


def of_others(source: FileWeights) -> tuple[dict[str, Tensor], str]:
    """The trunk in a user's file, whichever code wrote it, and what was found there.

    Names that are of no code base we know are taken for those of our trunk.
    """
    tensors = read(folder() / source.file, source)
    found = renamed(tensors)
    if found is None:
        return tensors, ""
    trunk = found.trunk
    rest = f"{len(tensors) - len(trunk)} tensors of the rest are left out"
    return trunk, f"{source.file}: {found.base.name}; {len(trunk)} tensors of the trunk, {rest}"


def read(path: Path, source: TorchvisionWeights | FileWeights) -> dict[str, Tensor]:
    """Tensors of a user's file, by its names.

    Raises:
        UserError: it is missing, another one than `source` says, or holds something else.
    """
    if not path.exists():
        raise UserError("a weights file is missing", where=path, fix=f"put it into {folder()}")
    check_digest(path, source)
    return files.read(path)


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


def expected_digest(source: TorchvisionWeights | FileWeights) -> str:
    """The beginning of the sha256, in small letters."""
    return (source.sha256 or source.file[-12:-4]).lower()


def check_digest(path: Path, source: TorchvisionWeights | FileWeights) -> None:
    """Compare with the checksum of the parameters, or the one in torchvision's file name."""
    expected = expected_digest(source)
    found = digest(path)
    if not found.startswith(expected):
        raise UserError(
            "the weights file is another one, or damaged",
            where=path,
            expected=f"sha256 {expected}...",
            found=f"sha256 {found}",
            fix="fetch it again, or give its own sha256 in the weights of the profile",
        )

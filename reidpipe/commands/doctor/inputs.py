"""Whether data sets and first weights are there, and what they hold by their listing."""

from pathlib import Path

from reidpipe.commands.doctor.finding import Finding, from_error
from reidpipe.datasets import layouts, splitting
from reidpipe.datasets.sources import locating, watching
from reidpipe.datasets.sources.opening import open_tree
from reidpipe.errors import UserError
from reidpipe.formats import lock
from reidpipe.formats.manifest import SUBSETS
from reidpipe.formats.params import Params
from reidpipe.formats.plan import PLAN_FILE
from reidpipe.formats.settings.data import ArchiveSource
from reidpipe.formats.settings.training import (
    RandomWeights,
    SyntheticWeights,
    TorchvisionWeights,
    WeightsSource,
)
from reidpipe.synthetic.plan import planned
from reidpipe.training.weights import check_digest


def data_set(name: str, params: Params, root: Path) -> tuple[Finding, int]:
    """Whether a data set can be had, with its counts, and how many train images it has."""
    try:
        source = params.source(name)
        if isinstance(source, ArchiveSource):
            return _archive(name, source, root)
    except UserError as error:
        return from_error(name, error), 0
    shots = [shot.subset for shot in planned(source)]
    counts = [shots.count(subset) for subset in SUBSETS]
    return Finding(name, fine=True, found=f"synthetic: {_listed(counts)}"), counts[0]


def _archive(name: str, source: ArchiveSource, root: Path) -> tuple[Finding, int]:
    """By its listing alone: no image is decoded, no checksum compared."""
    published = source.counts.train if source.counts else 0
    if source.url and not (locating.folder() / source.file).exists():
        found = f"{source.file}: the download stage will fetch it from {source.url}"
        return Finding(name, fine=True, found=found), published
    try:
        path = locating.find(source)
        with open_tree(path, root) as tree:
            own = layouts.locate(tree, source.layout)
            reading = splitting.read_checked(own, source.layout, source.counts)
    except UserError as error:
        return from_error(name, error), published
    counts = [len(reading.of(subset)) for subset in SUBSETS]
    found = f"{path}: {_listed(counts)}"
    if not _is_the_one(name, source, root):
        found += f"; data/raw/{name}.zip was made of another one: dvc repro reads this one"
    return Finding(name, fine=True, found=found), counts[0]


def _is_the_one(name: str, source: ArchiveSource, root: Path) -> bool:
    """Whether the archive is the one that `data/raw` was made of, as far as the lock says."""
    if not (root / f"data/raw/{name}.zip").exists() or not (root / lock.LOCK).exists():
        return True
    made = lock.stages(root=root).get(f"download@{name}", {})
    params = made.get("params", {}).get(PLAN_FILE.name, {}).get(f"download.{name}", {})
    return "content" not in params or params["content"] == watching.content(source, root)


def _listed(counts: list[int]) -> str:
    return ", ".join(f"{subset} {n:,}" for subset, n in zip(SUBSETS, counts, strict=True))


def weights(role: str, source: WeightsSource) -> Finding:
    """Whether the weights that pre-trained runs start from can be had, and are those meant."""
    name = f"weights@{role}"
    if isinstance(source, RandomWeights):
        return Finding(name, fine=True, found="random: its runs begin from nothing")
    if isinstance(source, SyntheticWeights):
        return Finding(name, fine=True, found="trained in the weights stage")
    path = locating.folder() / source.file
    if path.exists():
        try:
            check_digest(path, source)
        except UserError as error:
            return from_error(name, error)
        return Finding(name, fine=True, found=str(path))
    if isinstance(source, TorchvisionWeights) and source.download:
        found = f"{source.file}: the weights stage will fetch it from torchvision (100 MB)"
        return Finding(name, fine=True, found=found)
    fix = f"put it into {locating.folder()}, or set {locating.ENVIRONMENT} to its folder"
    return Finding(
        name,
        fine=False,
        found=f"the file {source.file} is missing",
        fix=f"{fix}, or set weights.{role}.download: true"
        if isinstance(source, TorchvisionWeights)
        else fix,
    )

"""Whether data sets and first weights are there, and what they hold by their listing."""

from pathlib import Path
from typing import NamedTuple

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


class Sizes(NamedTuple):
    """Of a data set, 0 where unknown."""

    train: int = 0
    query: int = 0
    gallery: int = 0
    archive: int = 0
    """Bytes of the file that they are in."""


def data_set(name: str, params: Params, root: Path) -> tuple[Finding, Sizes]:
    """Whether a data set can be had, and what it has."""
    try:
        source = params.source(name)
        if isinstance(source, ArchiveSource):
            return _archive(name, source, root)
    except UserError as error:
        return from_error(name, error), Sizes()
    shots = [shot.subset for shot in planned(source)]
    found = Sizes(*(shots.count(subset) for subset in SUBSETS))
    return Finding(name, fine=True, found=f"synthetic: {_listed(found)}"), found


def _archive(name: str, source: ArchiveSource, root: Path) -> tuple[Finding, Sizes]:
    """By its listing alone: no image is decoded, no checksum compared."""
    known = source.counts
    published = Sizes(known.train, known.query, known.gallery) if known else Sizes()
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
    listed = Sizes(*(len(reading.of(subset)) for subset in SUBSETS))
    counts = listed._replace(archive=_size(path))
    found = f"{path}: {_listed(counts)}"
    if not _is_the_one(name, source, root):
        found += f"; data/raw/{name}.zip was made of another one: dvc repro reads this one"
    return Finding(name, fine=True, found=found), counts


def _size(path: Path) -> int:
    """Of an archive, or of the files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _is_the_one(name: str, source: ArchiveSource, root: Path) -> bool:
    """Whether the archive is the one that `data/raw` was made of, as far as the lock says."""
    if not (root / f"data/raw/{name}.zip").exists() or not (root / lock.LOCK).exists():
        return True
    made = lock.stages(root=root).get(f"download@{name}", {})
    params = made.get("params", {}).get(PLAN_FILE.name, {}).get(f"download.{name}", {})
    return "content" not in params or params["content"] == watching.content(source, root)


def _listed(counts: Sizes) -> str:
    return ", ".join(f"{subset} {n:,}" for subset, n in zip(SUBSETS, counts, strict=False))


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

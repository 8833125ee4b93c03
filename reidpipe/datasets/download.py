"""What the download stage does: from a source to the stored zip that all other stages read."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from reidpipe.datasets import packing
from reidpipe.datasets.sources import locating
from reidpipe.formats.settings.data import ArchiveSource, Source, SyntheticSource
from reidpipe.runtime.progress import progress
from reidpipe.synthetic.generation import TRUTH, generate


def download(source: Mapping[str, Any], destination: Path) -> Iterator[str]:
    """Write the data set that `source`, an entry of the plan, names; yield what a user may want.

    Raises:
        UserError: an archive is missing, another one, or wrong in any way; nothing is written.
    """
    checked: Source = TypeAdapter(Source).validate_python(source)
    if isinstance(checked, SyntheticSource):
        return iter(synthesised(checked, destination))
    return _packed(checked, destination)


def synthesised(source: SyntheticSource, destination: Path) -> tuple[()]:
    """Generate a benchmark and pack it as a user's archive would be."""
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder, destination.name)
        generate(raw, source)
        packing.pack(raw, destination, source.layout, extras=[TRUTH])
    return ()


def _packed(source: ArchiveSource, destination: Path) -> Iterator[str]:
    with progress(f"fetch {source.file}") as fetched, progress(f"pack {source.file}") as packed:
        path = locating.find(source, fetched)
        checksum = locating.verify(path, source)
        modes = packing.pack(path, destination, source.layout, counts=source.counts, report=packed)
    if checksum:
        yield f"{path.name} has no checksum in params.yaml; to pin it: sha256: {checksum}"
    others = ", ".join(f"{count} {mode}" for mode, count in sorted(modes.items()) if mode != "RGB")
    if others:
        yield f"images that are not RGB and are converted when read: {others}"

"""Turn a data set's archive, or the generator's, into one checked and stored zip."""

import argparse
import tempfile
from pathlib import Path

from reidpipe import params
from reidpipe.data import packing
from reidpipe.data.sources import locating
from reidpipe.errors import reported
from reidpipe.params import ArchiveSource, SyntheticSource
from reidpipe.runtime.progress import progress

TRUTH = "truth.csv"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", required=True)
    name = parser.parse_args().dataset
    source = locating.source_of(params.load(), name)
    destination = Path(f"data/raw/{name}.zip")
    if isinstance(source, SyntheticSource):
        _generate(source, destination)
    else:
        _pack(source, destination)


def _generate(source: SyntheticSource, destination: Path) -> None:
    from reidpipe.data import synthetic  # noqa: PLC0415 - a real data set needs no generator

    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder, destination.name)
        synthetic.generate(raw, source)
        packing.pack(raw, destination, source.layout, extras=[TRUTH])


def _pack(source: ArchiveSource, destination: Path) -> None:
    with progress(f"fetch {source.file}") as fetched, progress(f"pack {source.file}") as packed:
        path = locating.find(source, fetched)
        checksum = locating.verify(path, source)
        modes = packing.pack(path, destination, source.layout, counts=source.counts, report=packed)
    if checksum:
        print(f"{path.name} has no checksum in params.yaml; to pin it: sha256: {checksum}")
    others = ", ".join(f"{count} {mode}" for mode, count in sorted(modes.items()) if mode != "RGB")
    if others:
        print(f"images that are not RGB and are converted when read: {others}")


if __name__ == "__main__":
    with reported():
        main()

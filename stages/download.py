"""Turn a data set's archive, or the generator's, into one checked and stored zip."""

import argparse
import tempfile
from pathlib import Path

from rich.progress import Progress

from reidpipe import params
from reidpipe.data import archive, locating
from reidpipe.errors import reported
from reidpipe.params import ArchiveSource, SyntheticSource

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
        archive.pack(raw, destination, source.layout, extras=[TRUTH])


def _pack(source: ArchiveSource, destination: Path) -> None:
    with Progress(transient=True) as bar:
        fetching, packing = bar.add_task("fetch", visible=False), bar.add_task("pack", total=None)
        path = locating.find(
            source,
            lambda done, total: bar.update(
                fetching, completed=done, total=total or None, visible=True
            ),
        )
        checksum = locating.verify(path, source)
        modes = archive.pack(
            path,
            destination,
            source.layout,
            counts=source.counts,
            report=lambda done, total: bar.update(packing, completed=done, total=total),
        )
    if checksum:
        print(f"{path.name} has no checksum in params.yaml; to pin it: sha256: {checksum}")
    others = ", ".join(f"{count} {mode}" for mode, count in sorted(modes.items()) if mode != "RGB")
    if others:
        print(f"images that are not RGB and are converted when read: {others}")


if __name__ == "__main__":
    with reported():
        main()

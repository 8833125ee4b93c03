"""Read a packed data set by its benchmark's rules: the manifest, and the figures of the set."""

import argparse
from pathlib import Path

from reidpipe import params
from reidpipe.baseline import histogram_map
from reidpipe.data import splitting
from reidpipe.data.sources.locating import source_of
from reidpipe.errors import reported
from reidpipe.files import write_json
from reidpipe.params import ArchiveSource, SyntheticSource
from reidpipe.runtime import machine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", required=True)
    name = parser.parse_args().dataset
    checked = params.load()
    # Colour histograms are ranked as the evaluate stage ranks embeddings.
    ranking = checked.active.evaluate
    machine.prepare("cpu", ranking.threads, ranking.instructions)
    source = source_of(checked, name)
    known = source if isinstance(source, ArchiveSource) else None
    figures = splitting.split(
        Path(f"data/raw/{name}.zip"),
        Path(f"data/splits/{name}.csv"),
        source.layout,
        use_val=known.use_val if known else False,
        counts=known.counts if known else None,
    )
    if lonely := figures["queries_without_match"]:
        print(f"{lonely} queries have no match under another camera; the protocol skips them")
    if isinstance(source, SyntheticSource):
        files = Path(f"data/raw/{name}.zip"), Path(f"data/splits/{name}.csv")
        figures["histogram_mAP"] = histogram_map(*files)
        print(f"{name}: colour histograms alone reach mAP {figures['histogram_mAP']:.1f}")
    write_json(Path(f"reports/data/{name}.json"), {"layout": source.layout, **figures})


if __name__ == "__main__":
    with reported():
        main()

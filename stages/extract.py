"""Embed the query and gallery images of one run's data set."""

import argparse
from pathlib import Path

from reidpipe import params
from reidpipe.errors import reported
from reidpipe.extraction import extract


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True)
    parser.add_argument("--dataset", required=True)
    args = parser.parse_args()
    profile = params.load().active
    folder = Path("runs") / args.run
    extract(
        folder / "model.safetensors",
        Path(f"data/raw/{args.dataset}.zip"),
        Path(f"data/splits/{args.dataset}.csv"),
        profile.extract,
        folder / "features.safetensors",
        workers=profile.loading.workers,
    )


if __name__ == "__main__":
    with reported():
        main()

"""Train one run of dvc.yaml."""

import argparse
from pathlib import Path

from reidpipe import params
from reidpipe.errors import reported
from reidpipe.training.run import Run, train

INITIAL = Path("reidpipe/models/initial.py")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--start", required=True, type=Path, help="a backbone, or the random rules")
    parser.add_argument("--attention", required=True)
    parser.add_argument("--classifier", required=True)
    parser.add_argument("--triplet", required=True, action=argparse.BooleanOptionalAction)
    args = parser.parse_args()
    checked = params.load()
    train(
        Run(args.run, args.attention, args.classifier, args.triplet),
        checked.active.train,
        checked.seed,
        archive=Path(f"data/raw/{args.dataset}.zip"),
        manifest=Path(f"data/splits/{args.dataset}.csv"),
        weights=args.start if args.start != INITIAL else None,
        model_file=Path(f"runs/{args.run}/model.safetensors"),
        history_file=Path(f"runs/{args.run}/history.csv"),
        loading=checked.active.loading,
    )


if __name__ == "__main__":
    with reported():
        main()

"""Rank the gallery for every query of one run, and say how sure the figures are."""

import argparse
from pathlib import Path

from reidpipe import params
from reidpipe.errors import reported
from reidpipe.evaluation import evaluate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True)
    run = parser.parse_args().run
    evaluate(
        Path(f"runs/{run}/features.safetensors"),
        params.load().active.evaluate,
        out_metrics=Path(f"reports/metrics/{run}.json"),
        out_cmc=Path(f"reports/cmc/{run}.csv"),
        out_queries=Path(f"reports/queries/{run}.csv"),
        out_ranking=Path(f"runs/{run}/ranking.npz"),
    )


if __name__ == "__main__":
    with reported():
        main()

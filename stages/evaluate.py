"""Rank the gallery for every query of one run, and say how sure the metrics are."""

from pathlib import Path

from reidpipe.errors import reported
from reidpipe.evaluation.evaluate import evaluate
from reidpipe.formats import plan
from reidpipe.formats.settings.evaluation import EvaluateParams


def main() -> None:
    run, entry = plan.asked("evaluate", __doc__)
    evaluate(
        Path(f"runs/{run}/features.safetensors"),
        EvaluateParams.model_validate(entry["params"]),
        out_metrics=Path(f"reports/metrics/{run}.json"),
        out_cmc=Path(f"reports/cmc/{run}.csv"),
        out_queries=Path(f"reports/queries/{run}.csv"),
        out_ranking=Path(f"runs/{run}/ranking.npz"),
    )


if __name__ == "__main__":
    with reported():
        main()

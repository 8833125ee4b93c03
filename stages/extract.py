"""Embed the query and gallery images of one run's data set."""

from pathlib import Path

from reidpipe.errors import reported
from reidpipe.extraction.embeddings import extract
from reidpipe.formats import plan
from reidpipe.formats.settings.extraction import ExtractParams


def main() -> None:
    run, entry = plan.asked("extract", __doc__)
    extract(
        Path(f"runs/{run}/model.safetensors"),
        Path(f"data/raw/{entry['dataset']}.zip"),
        Path(f"data/splits/{entry['dataset']}.csv"),
        ExtractParams.model_validate(entry["params"]),
        Path(f"runs/{run}/features.safetensors"),
        workers=plan.entry("loading")["workers"],
    )


if __name__ == "__main__":
    with reported():
        main()

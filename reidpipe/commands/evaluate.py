"""Judge features from elsewhere by the code that judges the runs."""

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from reidpipe.errors import UserError
from reidpipe.evaluation import matching
from reidpipe.evaluation.evaluate import evaluate
from reidpipe.evaluation.matching import Matched
from reidpipe.extraction.embeddings import extract
from reidpipe.files import check_writable, digest
from reidpipe.formats import features as features_file
from reidpipe.formats import manifest, runs, weights
from reidpipe.formats.foreign import layouts, results
from reidpipe.formats.foreign.layouts import Given
from reidpipe.formats.foreign.results import ABOUT, FOLDER, METRICS, QUERIES, About
from reidpipe.formats.settings.evaluation import EvaluateParams
from reidpipe.formats.settings.extraction import ExtractParams
from reidpipe.runtime import machine
from reidpipe.runtime.settings import OURS, Metric, metric
from reidpipe.systems.trained import is_model

AS_EVER = ExtractParams()


@dataclass(frozen=True)
class Judged:
    """What was judged, and where the scores are."""

    folder: Path
    queries: int
    gallery: int
    aside: int
    """Rows of training images."""
    split: Path | None
    """By whose names the rows were found; None by their labels."""
    kind: str
    """Of float, as the file has it."""


def judge(
    path: Path,
    name: str,
    params: EvaluateParams,
    *,
    data: str = "",
    table: Path | None = None,
    extraction: ExtractParams = AS_EVER,
) -> Judged:
    """Write `reports/foreign/NAME`, in place of what was there; all of it or nothing.

    Args:
        path: a file of features, as docs/foreign.md says, or of a model, which embeds them first.
        name: what the result is called.
        params: metric, re-ranking, bootstrap and machine.
        extraction: how a model embeds.
        data: the data set whose query and gallery images the rows are.
        table: a CSV of names or labels; without, what is in the file or beside it.

    Raises:
        UserError: the features are not exactly those of the split, or cannot be evaluated.
    """
    folder = FOLDER / results.checked_name(name)
    check_writable(folder / ABOUT)
    machine.prepare(params.device, params.threads, params.instructions)  # before anything computes
    split = runs.files_of(data)[1] if data else None
    given = _embedded(path, data, extraction) if is_model(path) else layouts.read(path, table)
    matched = _matched(given, split)
    found = matched.features
    about = About(
        dataset=data or None,
        split=digest(split, "md5") if split else matching.digest(found),
        metric=params.metric,
        rerank=params.rerank,
        files={file.name: digest(file) for file in given.files},
    )
    counts = found.queries, len(found.pid) - found.queries, matched.aside
    kind = str(given.embedding.dtype).removeprefix("torch.")
    by_names = split if given.names else None
    FOLDER.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".", suffix=".part", dir=FOLDER) as scratch:
        features_file.write(Path(scratch, "features.safetensors"), found, f"foreign/{name}")
        del given, matched, found  # of a large set the file, and then the ranking, need the room
        _evaluated(Path(scratch), about, params)
        _put(Path(scratch), folder)
    return Judged(folder, *counts, by_names, kind)


def usual_metric(path: Path) -> Metric:
    """What a file's features are compared by, where nobody says: a model has its system's."""
    return metric(weights.about(path).get("system", OURS)) if is_model(path) else "cosine"


def _embedded(model: Path, data: str, params: ExtractParams) -> Given:
    """The features of a data set by a model, whose file they are then said to be of."""
    if not data:
        raise UserError(
            "a model embeds the images of a data set, and none is named",
            where=model,
            expected="--data DATASET",
            found=", ".join(runs.load().datasets),
        )
    archive, split = runs.files_of(data)
    with TemporaryDirectory() as scratch:
        features = Path(scratch, "features.safetensors")
        extract(model, archive, split, params, features)
        return replace(layouts.read(features), files=(model,))


def _matched(given: Given, split: Path | None) -> Matched:
    rows = manifest.read(split) if split else None
    if given.names and rows is not None:
        return matching.by_name(given, rows)
    if not given.labelled:
        raise UserError(
            "names alone do not say whom the images show",
            where=given.files[-1],
            expected="--data DATASET, whose images are so named",
            found=", ".join(runs.load().datasets),
        )
    return matching.by_labels(given, given.labels, rows)


def _evaluated(scratch: Path, about: About, params: EvaluateParams) -> None:
    """What the stage writes of a run, and what it is of, in the folder `result`."""
    result = scratch / "result"
    evaluate(
        scratch / "features.safetensors",
        params,
        out_metrics=result / METRICS,
        out_cmc=result / "cmc.csv",
        out_queries=result / QUERIES,
        out_ranking=result / "ranking.npz",
    )
    results.write_about(result / ABOUT, about)


def _put(scratch: Path, folder: Path) -> None:
    """The result in its place; one that was there goes with the scratch folder."""
    if folder.exists():
        folder.rename(scratch / "before")
    (scratch / "result").rename(folder)

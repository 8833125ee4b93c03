"""From features to figures: rank, count, and say how sure the figures are."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reidpipe import checkpoint
from reidpipe.errors import UserError
from reidpipe.files import write_csv, write_json
from reidpipe.formats import queries
from reidpipe.formats import ranking as ranking_file
from reidpipe.formats.queries import Queries
from reidpipe.metrics.bootstrap import interval
from reidpipe.metrics.distance import Distances, prepare_
from reidpipe.metrics.parallel import over_blocks
from reidpipe.metrics.protocol import Labels, Protocol
from reidpipe.metrics.ranking import Part, Ranking, cmc, collect, parts
from reidpipe.metrics.rerank import Reranked
from reidpipe.metrics.verification import Pairs
from reidpipe.params import BootstrapParams, EvaluateParams
from reidpipe.runtime import machine

FALSE_POSITIVE_RATES = ("1e-4", "1e-3", "1e-2")
CMC_LENGTH = 50
FIELDS = fields(Ranking)


@dataclass(frozen=True)
class Features:
    """What the extract stage leaves: the queries, then the gallery."""

    embedding: Tensor
    """N x D, float32."""
    labels: Labels
    queries: int
    """How many of the N are queries."""


def evaluate(
    features: Path,
    params: EvaluateParams,
    *,
    out_metrics: Path,
    out_cmc: Path,
    out_queries: Path,
    out_ranking: Path,
) -> None:
    """Write metrics (JSON, percent), CMC curve (CSV, percent), scores per query and the ranking.

    Raises:
        UserError: the features cannot be evaluated (NaN, zero, no true match); nothing is written.
    """
    device = machine.prepare(params.device, params.threads, params.instructions)
    ranking, pairs = ranked(read_features(features, device), params)
    metrics = retrieval(ranking, params.bootstrap) | verification(pairs)
    curve = 100 * cmc(ranking, CMC_LENGTH)
    write_ranking(out_ranking, ranking)
    queries.write(out_queries, per_query(ranking))
    write_csv(out_cmc, ["rank", "cmc"], enumerate(curve.tolist(), start=1))
    write_json(out_metrics, metrics)


def read_features(path: Path, device: torch.device) -> Features:
    """Features from their file.

    Raises:
        UserError: it is no features file, or the gallery does not follow the queries.
    """
    tensors, _ = checkpoint.load(path)
    _check_features(tensors, path)
    if (tensors["subset"][1:] < tensors["subset"][:-1]).any():
        raise UserError("the gallery does not follow the queries", where=path, fix="extract again")
    embedding, pid, camid = (tensors[name].to(device) for name in ("embedding", "pid", "camid"))
    return Features(embedding, Labels(pid, camid), int((tensors["subset"] == 0).sum()))


def _check_features(tensors: Mapping[str, Tensor], path: Path) -> None:
    found = {name: f"{str(t.dtype)[6:]} {list(t.shape)}" for name, t in tensors.items()}
    rows, width = (*tensors.get("embedding", torch.empty(0)).shape, 0, 0)[:2]
    expected = {"embedding": f"float32 [{rows}, {width}]", "pid": f"int64 [{rows}]"}
    expected |= {"camid": expected["pid"], "subset": f"uint8 [{rows}]"}
    if found != expected or (tensors["subset"] > 1).any():
        raise UserError(
            "not a features file",
            where=path,
            expected=f"{expected}, subset 0 (query) or 1 (gallery)",
            found=found,
            fix="delete it and run dvc repro",
        )


def ranked(features: Features, params: EvaluateParams) -> tuple[Ranking, Pairs]:
    """Rank all queries and count all pairs in one pass; embeddings are normalised *in place*."""
    query, gallery = slice(features.queries), slice(features.queries, None)
    prepare_(features.embedding[query], params.metric, "query")
    prepare_(features.embedding[gallery], params.metric, "gallery")
    protocol = Protocol(features.labels[query], features.labels[gallery])
    pairs = Pairs(features.embedding.device)
    distances = _distances(features, params)

    def work(firsts: Iterator[int]) -> list[Part]:
        return parts(pairs.counted(protocol.blocks(distances.blocks(firsts))), params.top_k)

    found = over_blocks(work, distances.firsts, distances.at_a_time(params.block_mb))
    return collect(found, protocol), pairs


def _distances(features: Features, params: EvaluateParams) -> Distances | Reranked:
    embedding, queries = features.embedding, features.queries
    if params.rerank is None:
        return Distances(embedding[:queries], embedding[queries:], params.metric)
    options = params.rerank.model_dump()
    return Reranked(embedding, queries, params.metric, params.block_mb, **options)


def per_query(ranking: Ranking) -> Queries:
    """The scores whose means are the metrics."""
    precision, inp, first = ranking.average_precision, ranking.inp, ranking.first_match
    return Queries(ranking.query, precision, inp, first + 1)


def retrieval(ranking: Ranking, bootstrap: BootstrapParams) -> dict[str, float]:
    """Metrics in percent, counts of queries, and the bootstrap interval of each metric."""
    values = per_query(ranking).percent()
    low, high = interval(np.stack([*values.values()], axis=1), **bootstrap.model_dump())
    bounds = {
        f"{name}_{end}": float(bound[index])
        for index, name in enumerate(values)
        for end, bound in (("low", low), ("high", high))
    }
    skipped = ranking.num_query - len(ranking.query)
    counts = {"num_query": ranking.num_query, "num_skipped": skipped}
    return {name: float(value.mean()) for name, value in values.items()} | counts | bounds


def verification(pairs: Pairs) -> dict[str, float]:
    """ROC AUC and TPR at three FPR, in percent, each with the largest error of its binning."""
    found = {f"tpr_at_fpr_{rate}": pairs.tpr_at_fpr(float(rate)) for rate in FALSE_POSITIVE_RATES}
    found["roc_auc"] = pairs.roc_auc()
    values = {name: 100 * value for name, (value, _) in found.items()}
    return values | {f"{name}_error": 100 * error for name, (_, error) in found.items()}


def write_ranking(path: Path, ranking: Ranking) -> None:
    """The fields of `ranking`."""
    ranking_file.write(path, {field.name: getattr(ranking, field.name) for field in FIELDS})


def read_ranking(path: Path) -> Ranking:
    """What `write_ranking` wrote.

    Raises:
        UserError: the file is missing or is no ranking.
    """
    content: dict[str, Any] = ranking_file.read(path, [field.name for field in FIELDS])
    return Ranking(**content | {"num_query": int(content["num_query"])})


@dataclass(frozen=True)
class Difference:
    """One metric of two runs, in percent, and B - A in percentage points with its interval."""

    metric: str
    a: float
    b: float
    low: float
    high: float


def compare(a: Queries, b: Queries, bootstrap: BootstrapParams) -> Iterator[Difference]:
    """Every metric of two runs on the same queries, with the paired bootstrap interval.

    Raises:
        UserError: the runs have different queries.
    """
    if not np.array_equal(a.query, b.query):
        raise UserError(
            "two runs on different queries cannot be compared",
            expected=f"the {len(a.query)} valid queries of the first run",
            found=f"{len(b.query)} valid queries",
            fix="compare two runs on one data set, each evaluated on the same split",
        )
    values_a, values_b = a.percent(), b.percent()
    differences = np.stack([values_b[name] - values_a[name] for name in values_a], axis=1)
    low, high = interval(differences, **bootstrap.model_dump())
    for index, name in enumerate(values_a):
        means = float(values_a[name].mean()), float(values_b[name].mean())
        yield Difference(name, *means, float(low[index]), float(high[index]))

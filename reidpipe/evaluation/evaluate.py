"""From features to metrics: rank, count, and say how sure the metrics are."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from reidpipe.files import write_csv, write_json
from reidpipe.formats import features as features_file
from reidpipe.formats import queries as queries_file
from reidpipe.formats import ranking as ranking_file
from reidpipe.formats.features import Features
from reidpipe.formats.ranking import Ranking
from reidpipe.formats.settings.evaluation import EvaluateParams
from reidpipe.metrics.bootstrap import interval
from reidpipe.metrics.distance import Distances, prepare_
from reidpipe.metrics.parallel import over_blocks
from reidpipe.metrics.protocol import Labels, Protocol
from reidpipe.metrics.ranking import Part, cmc, collect, parts
from reidpipe.metrics.rerank import Reranked
from reidpipe.metrics.verification import Pairs
from reidpipe.runtime import machine

FALSE_POSITIVE_RATES = ("1e-4", "1e-3", "1e-2")
CMC_LENGTH = 50


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

    Under one camera the protocol leaves nothing to rank: then counts alone are written.

    Raises:
        UserError: the features cannot be evaluated (NaN, zero, no true match); nothing is written.
    """
    device = machine.prepare(params.device, params.threads, params.instructions)
    found = features_file.read(features, device)
    if (found.camid != found.camid[0]).any():
        ranking, pairs = ranked(found, params)
        metrics = retrieval(ranking, params.bootstrap) | verification(pairs)
        curve = (100 * cmc(ranking, CMC_LENGTH)).tolist()
    else:
        ranking, curve = ranking_file.empty(found.queries, params.top_k), []
        metrics = _counts(ranking)
    ranking_file.write(out_ranking, ranking)
    queries_file.write(out_queries, ranking.queries)
    write_csv(out_cmc, ["rank", "cmc"], enumerate(curve, start=1))
    write_json(out_metrics, metrics)


def ranked(features: Features, params: EvaluateParams) -> tuple[Ranking, Pairs]:
    """Rank all queries and count all pairs in one pass; embeddings are normalised *in place*."""
    query, gallery = slice(features.queries), slice(features.queries, None)
    prepare_(features.embedding[query], params.metric, "query")
    prepare_(features.embedding[gallery], params.metric, "gallery")
    labels = Labels(features.pid, features.camid)
    protocol = Protocol(labels[query], labels[gallery])
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
    return Reranked(embedding, queries, params.metric, params.block_mb, **params.rerank)


def retrieval(ranking: Ranking, bootstrap: Mapping[str, Any]) -> dict[str, float]:
    """Metrics in percent, counts of queries, and the bootstrap interval of each metric."""
    values = ranking.queries.percent()
    low, high = interval(np.stack([*values.values()], axis=1), **bootstrap)
    bounds = {
        f"{name}_{end}": float(bound[index])
        for index, name in enumerate(values)
        for end, bound in (("low", low), ("high", high))
    }
    means = {name: float(value.mean()) for name, value in values.items()}
    return means | _counts(ranking) | bounds


def _counts(ranking: Ranking) -> dict[str, float]:
    """Of all queries, and of those without a true match."""
    skipped = ranking.num_query - len(ranking.query)
    return {"num_query": ranking.num_query, "num_skipped": skipped}


def verification(pairs: Pairs) -> dict[str, float]:
    """ROC AUC and TPR at three FPR, in percent, each with the largest error of its binning.

    Of each FPR also the distance below which two images are then taken for one person.
    """
    found = {f"tpr_at_fpr_{rate}": pairs.tpr_at_fpr(float(rate)) for rate in FALSE_POSITIVE_RATES}
    found["roc_auc"] = pairs.roc_auc()
    values = {name: 100 * value for name, (value, _) in found.items()}
    values |= {f"{name}_error": 100 * error for name, (_, error) in found.items()}
    thresholds = {
        f"distance_at_fpr_{rate}": pairs.distance_at_fpr(float(rate))
        for rate in FALSE_POSITIVE_RATES
    }
    return values | thresholds

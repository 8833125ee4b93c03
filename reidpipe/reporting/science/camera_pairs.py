"""Where the error comes from: mAP of every pair of query and gallery camera."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from reidpipe.formats import features as features_file
from reidpipe.formats.queries import Floats
from reidpipe.formats.settings.evaluation import EvaluateParams
from reidpipe.metrics import distance
from reidpipe.metrics.protocol import Labels, Protocol
from reidpipe.metrics.ranking import rank

LABELLED = ("embedding", "pid", "camid")


@dataclass(frozen=True)
class CameraPairs:
    """mAP in percent of queries of one camera searched among the images of one other camera."""

    cameras: tuple[int, ...]
    mean_ap: Floats
    """Query camera x gallery camera; NaN where no query has a match there."""


def camera_pairs(features: Path, params: EvaluateParams) -> CameraPairs:
    """Rank each camera's gallery by itself, with the distractors that it saw.

    A pair's list is shorter than the whole gallery, so these figures are above the run's mAP.
    """
    found = features_file.read(features)
    query, gallery = (
        {name: getattr(found, name)[part] for name in LABELLED}
        for part in (slice(found.queries), slice(found.queries, None))
    )
    cameras = tuple(np.unique(found.camid.numpy()).tolist())
    table = np.full((len(cameras), len(cameras)), np.nan)
    for column, camera in enumerate(cameras):
        searched = _searched(query, gallery, camera, params)
        for row, other in enumerate(cameras):
            if other in searched:
                table[row, column] = searched[other]
    return CameraPairs(cameras, table)


def _searched(
    query: dict[str, torch.Tensor],
    gallery: dict[str, torch.Tensor],
    camera: int,
    params: EvaluateParams,
) -> dict[int, float]:
    """The mAP in percent by query camera, of the queries whose identity `camera` has seen."""
    seen = {name: tensor[gallery["camid"] == camera] for name, tensor in gallery.items()}
    known = torch.isin(query["pid"], seen["pid"]) & (query["camid"] != camera)
    asked = {name: tensor[known] for name, tensor in query.items()}
    if not len(asked["pid"]):
        return {}
    protocol = Protocol(*(Labels(side["pid"], side["camid"]) for side in (asked, seen)))
    probes = distance.prepare_(asked["embedding"], params.metric, "query")
    others = distance.prepare_(seen["embedding"], params.metric, "gallery")
    blocks = distance.blocks(probes, others, params.metric)
    ranking = rank(protocol.blocks(blocks), protocol, top_k=1)
    camid = asked["camid"].numpy()[ranking.query]
    precision = 100 * ranking.average_precision
    return {int(cam): float(precision[camid == cam].mean()) for cam in np.unique(camid)}

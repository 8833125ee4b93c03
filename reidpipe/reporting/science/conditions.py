"""mAP by viewpoint, occlusion and light, where the truth about each image is known."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reidpipe.formats import zips
from reidpipe.formats.ranking import Ranking
from reidpipe.metrics.bootstrap import interval

TRUTH = "truth.csv"
FEWEST = 5
"""Groups of fewer queries are not shown: their mAP says nothing."""
FRONT, BACK = 45, 135
"""Degrees of yaw away from facing the camera."""
HARDLY, MUCH = 0.05, 0.25
"""Shares of the person that are hidden."""
DIM, BRIGHT = 0.85, 1.15
"""Light as a factor of the camera's usual."""
ORDER = (
    *("front", "side", "back"),
    *("in full view", "partly hidden", "much hidden"),
    *("dim", "usual", "bright"),
)
"""Labels from the usual to the unusual."""


@dataclass(frozen=True)
class Group:
    """Queries of one condition; mAP in percent with its bootstrap interval."""

    condition: str
    label: str
    queries: int
    mean_ap: float
    low: float
    high: float


def by_condition(
    zipped: Path, queries: Sequence[str], ranking: Ranking, bootstrap: Mapping[str, Any]
) -> list[Group]:
    """Groups of the queries (their members, in manifest order) that could be scored.

    The condition is the query's own; its true matches have conditions of their own.
    """
    lines = csv.DictReader(io.StringIO(zips.read(zipped, TRUTH).decode()))
    truth = {line["member"]: line for line in lines}
    rows = [truth[queries[index]] for index in ranking.query]
    groups = []
    for condition, labels in _conditions(rows).items():
        for label in dict.fromkeys(sorted(labels, key=ORDER.index)):
            chosen = ranking.average_precision[np.array([found == label for found in labels])]
            if len(chosen) >= FEWEST:
                groups.append(_group(condition, label, 100 * chosen, bootstrap))
    return groups


def _group(
    condition: str, label: str, precision: NDArray[np.float64], bootstrap: Mapping[str, Any]
) -> Group:
    low, high = interval(precision[:, None], **bootstrap)
    mean = float(precision.mean())
    return Group(condition, label, len(precision), mean, float(low[0]), float(high[0]))


def _conditions(rows: Sequence[dict[str, str]]) -> dict[str, list[str]]:
    return {
        "Viewpoint": [_view(float(row["yaw"])) for row in rows],
        "Occlusion": [_hidden(float(row["occluded"])) for row in rows],
        "Light": [_light(float(row["light"])) for row in rows],
    }


def _view(yaw: float) -> str:
    """Yaw in degrees, 0 faces the camera, of any winding."""
    away = abs((yaw + 180) % 360 - 180)
    return "front" if away <= FRONT else "back" if away >= BACK else "side"


def _hidden(share: float) -> str:
    if share < HARDLY:
        return "in full view"
    return "partly hidden" if share < MUCH else "much hidden"


def _light(factor: float) -> str:
    return "dim" if factor < DIM else "bright" if factor > BRIGHT else "usual"

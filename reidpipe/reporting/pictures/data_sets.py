"""The data that the numbers come from: counts, and one sheet of pictures per set."""

import json
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from reidpipe.errors import UserError
from reidpipe.reporting.pictures.pictures import DataSet, Shot, sheet
from reidpipe.reporting.reading.published import DATASETS

IDENTITIES = 12
CELL = 40, 80
"""Width, height in pixels of one picture of the sheet."""

# Key of reports/data/DATASET.json -> what the page calls it.
COUNTS = {
    "cameras": "cameras",
    "train_ids": "identities, train",
    "train_images": "images, train",
    "query_ids": "identities, query",
    "query_images": "images, query",
    "gallery_images": "images, gallery",
    "distractor_images": "of them distractors",
    "junk_dropped": "junk, dropped",
    "queries_without_match": "queries without a match",
}
HISTOGRAM = "mAP of colour histograms, without learning (%)"
PER_IDENTITY = "images per identity, train (min, median, max)"


@dataclass(frozen=True)
class Described:
    """A data set's column in the table of counts, and its contact sheet."""

    name: str
    title: str
    counts: dict[str, str]
    sheet: str
    """Data URI; empty where photographs are left out."""
    identities: int
    cameras: int


def counts(path: Path) -> dict[str, str]:
    """Figures of `reports/data/DATASET.json` as text, by what the page calls them.

    Raises:
        UserError: the file is missing or has other figures.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        ends = [found[f"train_images_per_id_{end}"] for end in ("min", "median", "max")]
        named = {label: f"{found[key]:,}" for key, label in COUNTS.items()}
        # Only synthetic sets are measured: theirs must be a task, the benchmarks are known to be.
        histogram = f"{found['histogram_mAP']:.1f}" if "histogram_mAP" in found else "-"
    except (FileNotFoundError, ValueError, KeyError) as error:
        raise UserError(
            "the figures of a data set cannot be read",
            where=path,
            found=f"{type(error).__name__}: {error}",
            fix="dvc repro split",
        ) from None
    return named | {PER_IDENTITY: ", ".join(f"{end:g}" for end in ends)} | {HISTOGRAM: histogram}


def contact_sheet(data: DataSet) -> Image.Image:
    """A row for each of the first 12 query identities, a column per camera; empty where unseen."""
    shots = data.subsets["query"] + data.subsets["gallery"]
    cameras = sorted({shot.camid for shot in shots})
    first: dict[tuple[int, int], Shot] = {}
    for shot in shots:
        first.setdefault((shot.pid, shot.camid), shot)
    rows = []
    for pid in people(data):
        found = [first.get((pid, camera)) for camera in cameras]
        rows.append([data.picture(shot) if shot else None for shot in found])
    return sheet(rows, CELL)


def people(data: DataSet) -> list[int]:
    """The first 12 query identities."""
    return sorted({shot.pid for shot in data.subsets["query"]})[:IDENTITIES]


def described(data: DataSet, figures: Path, uri: str) -> Described:
    shots = data.subsets["query"] + data.subsets["gallery"]
    return Described(
        name=data.name,
        title=DATASETS.get(data.name, data.name),
        counts=counts(figures),
        sheet=uri,
        identities=len(people(data)),
        cameras=len({shot.camid for shot in shots}),
    )

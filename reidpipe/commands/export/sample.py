"""The images on which an export is compared with its run."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from reidpipe.errors import UserError
from reidpipe.extraction.embeddings import embed
from reidpipe.formats import features as features_file
from reidpipe.formats import manifest as records
from reidpipe.formats.features import Features
from reidpipe.formats.settings.extraction import ExtractParams
from reidpipe.images.images import Images
from reidpipe.runtime.machine import on_device
from reidpipe.systems.trained import Trained

Places = NDArray[np.int64]
WHOLE = 2000
"""Up to so many images all are compared."""
QUERIES, OTHERS = 64, 512
"""Else so many queries with all their true matches, and so many others, evenly taken."""


def sample(rows: pd.DataFrame) -> list[int]:
    """Places in the query and gallery rows of a manifest that are compared, the queries first."""
    queries = int((rows["subset"] == "query").sum())
    if len(rows) <= WHOLE:
        return list(range(len(rows)))
    asked = _evenly(np.arange(queries), QUERIES)
    gallery = np.arange(queries, len(rows))
    pid = rows["pid"].to_numpy()
    matching = np.isin(pid[gallery], pid[asked])
    others = _evenly(gallery[~matching], OTHERS)
    found: list[int] = [*asked.tolist(), *sorted([*gallery[matching].tolist(), *others.tolist()])]
    return found


def _evenly(places: Places, most: int) -> Places:
    chosen = np.linspace(0, len(places) - 1, min(most, len(places))).round().astype(np.int64)
    return places[chosen]


def tested(manifest: Path) -> pd.DataFrame:
    """The query and gallery rows of a split."""
    return records.read(manifest).query("subset != 'train'")


def extracted(path: Path, rows: pd.DataFrame, places: list[int]) -> Features:
    """What the extract stage wrote of the images at `places` of the split's tested rows.

    Raises:
        UserError: the features are of other images than the split's.
    """
    written = features_file.read(path)
    if rows["pid"].tolist() != written.pid.tolist():
        raise UserError(
            "the features are of another split",
            where=path,
            expected=f"the {len(rows)} query and gallery images of the data set, in their order",
            fix="dvc repro extracts them again",
        )
    return _of(written.embedding[places], rows, places, flip=written.flip)


def embedded(
    trained: Trained, images: Images, rows: pd.DataFrame, places: list[int], params: ExtractParams
) -> Features:
    """What the extract stage would write of the images at `places`, which `images` are."""
    cpu = torch.device("cpu")
    found = embed(on_device(trained.model, cpu), images, params, cpu, label=trained.run)
    return _of(found, rows, places, flip=params.flip)


def _of(embedding: torch.Tensor, rows: pd.DataFrame, places: list[int], *, flip: bool) -> Features:
    chosen = rows.iloc[places]
    pid, camid = (torch.tensor(chosen[name].to_numpy()) for name in ("pid", "camid"))
    return Features(embedding, pid, camid, int((chosen["subset"] == "query").sum()), flip=flip)

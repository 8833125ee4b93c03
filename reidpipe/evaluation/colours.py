"""What colour alone achieves: a data set is no re-identification task where this is high."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from reidpipe.evaluation import histograms
from reidpipe.formats import manifest as manifest_file
from reidpipe.images.images import Images
from reidpipe.metrics import distance
from reidpipe.metrics.protocol import Labels, Protocol
from reidpipe.metrics.ranking import rank
from reidpipe.runtime import machine

SIZE = (64, 32)


def histogram_map(
    archive: Path, manifest: Path, *, threads: int | None, instructions: str
) -> float:
    """MAP (percent) of the better of two colour histograms, by the protocol of `evaluate`."""
    machine.prepare("cpu", threads, instructions)
    rows = manifest_file.read(manifest).query("subset != 'train'")
    images = Images(archive, rows["member"].tolist(), SIZE, cache_mb=0)
    pixels = images.take(np.arange(len(images))).permute(0, 2, 3, 1).numpy()
    labels = Labels(torch.tensor(rows["pid"].to_numpy()), torch.tensor(rows["camid"].to_numpy()))
    queries = int((rows["subset"] == "query").sum())
    return max(_map(kind(pixels), labels, queries) for kind in (histograms.rgb, histograms.hsv))


def _map(features: NDArray[np.float32], labels: Labels, queries: int) -> float:
    roots = torch.from_numpy(histograms.hellinger(features))
    query, gallery = roots[:queries], roots[queries:]
    protocol = Protocol(labels[slice(queries)], labels[slice(queries, None)])
    distances = distance.blocks(query, gallery, "cosine")
    ranking = rank(protocol.blocks(distances), protocol, top_k=1)
    return 100 * float(ranking.average_precision.mean())

"""Embeddings of a few identities in two dimensions (t-SNE, van der Maaten and Hinton, 2008)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE

from reidpipe.formats import features as features_file
from reidpipe.reporting.pictures.drawing import Drawing, canvas, drawing, look

IDENTITIES, IMAGES, STEPS, SEED = 12, 12, 500, 0
MARKS = "os^DvPX*<>ph"
"""A shape per identity, for those who do not see its colour."""


@dataclass(frozen=True)
class Embedded:
    points: NDArray[np.float64]
    """N x 2, each axis scaled to -1..1."""
    pid: NDArray[np.int64]


def embedding_map(features: Path) -> Embedded:
    """At most 12 images of each of the first 12 query identities, by cosine distance."""
    found = features_file.read(features)
    pid = found.pid.numpy()
    known = np.unique(pid[: found.queries])[:IDENTITIES]
    rows = np.concatenate([np.flatnonzero(pid == one)[:IMAGES] for one in known])
    embedding = found.embedding.numpy()[rows].astype(np.float64)
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    tsne = TSNE(
        init="pca",
        method="exact",
        metric="euclidean",
        perplexity=min(12, (len(rows) - 1) / 3),
        max_iter=STEPS,
        random_state=SEED,
    )
    points = tsne.fit_transform(embedding)
    return Embedded(2 * (points - points.min(0)) / np.ptp(points, axis=0) - 1, pid[rows])


def draw_map(maps: Mapping[str, Embedded]) -> Drawing:
    """A panel per run, a colour and a shape per identity."""
    colours = mpl.colormaps["tab20"].colors  # type: ignore[attr-defined]
    with look():
        figure, panels = canvas(6.2, 3.6, columns=len(maps))
        for axes, (title, found) in zip(panels, maps.items(), strict=True):
            for number, one in enumerate(np.unique(found.pid)):
                x, y = found.points[found.pid == one].T
                colour = mpl.colors.to_hex(colours[number % len(colours)])
                mark = MARKS[number % len(MARKS)]
                axes.plot(x, y, mark, color=colour, markersize=5, linestyle="", label=f"{one}")
            axes.grid(visible=False)
            axes.spines[:].set_visible(True)
            axes.set(title=title, xticks=[], yticks=[], aspect="equal")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=6, title="identity")
        return drawing(
            "embedding",
            figure,
            f"Two-dimensional maps of the embeddings of {len(labels)} test identities, for "
            f"{' and '.join(maps)}: the tighter and further apart the groups, the better.",
            f"Query and gallery images of {len(labels)} identities by t-SNE (seeded) of their "
            "embeddings. Distances between groups in such a map say little; mixed groups do.",
        )

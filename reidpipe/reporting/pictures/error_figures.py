"""Figures of where the error comes from."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.patches import Rectangle

from reidpipe.reporting.pictures.drawing import (
    MUTED,
    OURS,
    PAPER,
    Drawing,
    canvas,
    drawing,
    look,
)
from reidpipe.reporting.science.camera_pairs import CameraPairs
from reidpipe.reporting.science.conditions import FEWEST, ORDER, Group


def heat_map(name: str, title: str, pairs: CameraPairs) -> Drawing:
    """A cell per camera pair with its value; the stronger the colour, the harder."""
    count = len(pairs.cameras)
    side = min(1.6 + 0.42 * count, 7.0)
    with look():
        figure, (axes,) = canvas(side, 0.9 * side)
        axes.grid(visible=False)
        for (row, column), value in np.ndenumerate(pairs.mean_ap):
            if not np.isnan(value):
                axes.add_patch(_cell(column, row, 1 - value / 100))
                axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=8)
        names = [f"c{camera}" for camera in pairs.cameras]
        axes.set_xticks(range(count), names)
        axes.set_yticks(range(count), names)
        axes.set(xlim=(-0.5, count - 0.5), ylim=(count - 0.5, -0.5))
        axes.set(xlabel="gallery camera", ylabel="query camera")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        caption = f"{title}: mAP (%) by camera pair; the stronger the colour, the harder the pair."
        return drawing(name, figure, _spoken(pairs), caption)


def _cell(column: int, row: int, hardness: float) -> Rectangle:
    corner = column - 0.5, row - 0.5
    strength = 0.04 + 0.6 * hardness
    return Rectangle(corner, 1, 1, linewidth=2, facecolor=OURS, edgecolor=PAPER, alpha=strength)


def _spoken(pairs: CameraPairs) -> str:
    known = [(v, place) for place, v in np.ndenumerate(pairs.mean_ap) if not np.isnan(v)]
    if not known:
        return "No camera pair has a query with a match."
    (low, hard), (high, easy) = min(known), max(known)
    named = [tuple(pairs.cameras[index] for index in place) for place in (hard, easy)]
    (hard_query, hard_gallery), (easy_query, easy_gallery) = named
    return (
        f"Heat map of mAP by camera pair. Hardest: queries of camera {hard_query} in camera "
        f"{hard_gallery}, {low:.0f} percent. Easiest: camera {easy_query} in camera "
        f"{easy_gallery}, {high:.0f} percent."
    )


def condition_bars(name: str, groups: Mapping[str, Sequence[Group]]) -> Drawing:
    """The mAP with interval by condition; a panel per data set (its title -> its groups)."""
    heights = _heights([group for found in groups.values() for group in found])
    with look():
        figure, panels = canvas(6.2, 1.0 + 0.35 * len(heights), columns=len(groups))
        for axes, (title, found) in zip(panels, groups.items(), strict=True):
            for group in found:
                y = heights[group.label]
                axes.plot([group.low, group.high], [y, y], color=MUTED, linewidth=1.2)
                axes.plot(group.mean_ap, y, "o", color=OURS, markersize=6)
            first = axes is panels[0]
            axes.set_yticks(list(heights.values()), list(heights) if first else [""] * len(heights))
            axes.set(title=title, xlabel="mAP (%)", ylim=(max(heights.values()) + 0.7, -0.7))
            axes.tick_params(axis="y", length=0)
        spoken = [
            f"{title}, {group.label}: {group.mean_ap:.0f}"
            for title, found in groups.items()
            for group in found
        ]
        return drawing(
            name,
            figure,
            f"mAP in percent by condition of the query. {'; '.join(spoken)}.",
            "mAP of Ours by the query's viewpoint, occlusion and light, which are known for "
            f"synthetic people. Lines are bootstrap intervals; groups of fewer than {FEWEST} "
            "queries are left out.",
        )


def _heights(groups: Sequence[Group]) -> dict[str, float]:
    """A line for each label that any panel has, with a gap between conditions."""
    known = {group.label: group.condition for group in groups}
    labels = [label for label in ORDER if label in known]
    conditions = list(dict.fromkeys(known[label] for label in labels))
    return {label: row + 0.7 * conditions.index(known[label]) for row, label in enumerate(labels)}

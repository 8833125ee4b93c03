"""Accuracy of the variants of Table 1 against what one embedding costs."""

from collections.abc import Mapping

from matplotlib.axes import Axes

from reidpipe.reporting.pictures.curves import WIDE, styles
from reidpipe.reporting.pictures.drawing import MUTED, Drawing, canvas, drawing, look
from reidpipe.reporting.science.costs import Costs
from reidpipe.reporting.science.tables import Row, Table

LINES = 18
"""Labels that fit one above the other."""
CHEAP = 0.01


def cost_scatter(table: Table, costs: Costs) -> Drawing:
    """The mAP against the operations that one embedding takes."""
    rows = table.rebuilt
    points = {
        row.method: (
            2 * costs.profile[run].multiply_adds / 1e9,
            float(row.cells["mAP"].rebuilt or 0),
        )
        for run, row in rows.items()
    }
    with look():
        figure, (axes,) = canvas(*WIDE)
        for row, style in zip(rows.values(), styles(rows), strict=True):
            x, y = points[row.method]
            axes.plot([x, x], _bounds(row), color=style["color"], linewidth=1, alpha=0.5)
            axes.plot(x, y, "o", color=style["color"], markersize=8)
        axes.margins(x=0.2, y=0.1)
        axes.set(xlabel="GFLOPs per image", ylabel="mAP (%)")
        _label(axes, points)
        spoken = [f"{name} {y:.2f} at {x:.4f}" for name, (x, y) in points.items()]
        return drawing(
            "cost",
            figure,
            f"mAP against GFLOPs: {', '.join(spoken)}.",
            "What a variant gains for what it costs. Bars are the bootstrap intervals of mAP. "
            f"Within {CHEAP:.0%} of the cheapest: {', '.join(_cheap(points))}.",
        )


def _cheap(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Variants whose operations are about the fewest."""
    least = min(cost for cost, _ in points.values())
    return [name for name, (cost, _) in points.items() if cost <= (1 + CHEAP) * least]


def _bounds(row: Row) -> list[float]:
    """Ends of the interval of mAP; one point where it is not known."""
    cell = row.cells["mAP"]
    ends = (bound if bound is not None else cell.rebuilt for bound in (cell.low, cell.high))
    return [float(end or 0) for end in ends]


def _label(axes: Axes, points: Mapping[str, tuple[float, float]]) -> None:
    """Names to the right of cheap points, pushed apart upwards, and above expensive ones."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    floor = low
    line = {"arrowstyle": "-", "color": MUTED, "linewidth": 0.5, "shrinkB": 5}
    for name, (x, y) in sorted(points.items(), key=lambda item: item[1][1]):
        if x > (left + right) / 2:
            axes.annotate(name, (x, y + (high - low) / 40), ha="center", va="bottom", fontsize=9)
            continue
        height = max(y, floor)
        floor = height + (high - low) / LINES
        place = x + 0.03 * (right - left), height
        axes.annotate(name, (x, y), xytext=place, va="center", fontsize=9, arrowprops=line)

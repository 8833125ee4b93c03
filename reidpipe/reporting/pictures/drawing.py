"""One look for every figure, and SVG whose bytes depend on nothing but the data.

A figure is drawn with the colours of the light page. In the page the same SVG is inlined with each
of these colours replaced by its CSS variable, so that one drawing serves light, dark and print.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reidpipe.files import write_text

INK, MUTED, RULE, PAPER = "#1f2328", "#5b636d", "#d5d8dc", "#ffffff"
OURS, PLAIN = "#b4231f", "#24292f"
SERIES = (PLAIN, "#8a6d1d", "#2f7d4f", "#1d7f8c", "#2f62b5", "#7a4bb0", "#b0477f", OURS)
"""Colours of up to eight lines, baseline first and Ours last."""
DASHES = ("--", "-", "-", "-.", "-", "-.", "-", "-")

VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    RULE: "--rule",
    PAPER: "--surface",
    **{colour: f"--series-{number}" for number, colour in enumerate(SERIES)},
}
_LOOK: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "svg.fonttype": "none",
    "path.simplify": False,
}
_IDS = re.compile(r'(id="|href="#|url\(#)')
_COLOURS = re.compile("|".join(VARIABLES))
_STRANGERS = re.compile(r'<metadata>.*?</metadata>|\s?xmlns(:\w+)?="[^"]*"|xlink:', re.DOTALL)
_WIDTH = re.compile(r'width="([\d.]+pt)"')
_FONT = re.compile(r"'DejaVu Sans'(, [^;\"]*)?")


@dataclass(frozen=True)
class Drawing:
    """An SVG, what it shows for those who cannot see it, and what to read out of it."""

    name: str
    svg: str
    alt: str
    caption: str

    @property
    def inline(self) -> str:
        """The `<svg>` element for the page: themed colours, own ids, no address of any kind."""
        element = _STRANGERS.sub("", self.svg[self.svg.index("<svg") :])
        element = _IDS.sub(lambda found: f"{found[1]}{self.name}-", element)
        element = _COLOURS.sub(lambda found: f"var({VARIABLES[found[0]]})", element)
        element = _FONT.sub("var(--sans)", element)
        return _WIDTH.sub(r'\g<0> style="--natural: \1"', element, count=1)

    def write(self, folder: Path) -> None:
        write_text(folder / f"{self.name}.svg", self.svg)


@contextmanager
def look() -> Iterator[None]:
    """Our rcParams on matplotlib's defaults, whatever the user's matplotlibrc says."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_LOOK)
        yield


def canvas(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure of `width` x `height` inches with axes side by side; no pyplot, no global state."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False)
    return figure, list(axes[0])


def drawing(name: str, figure: Figure, alt: str, caption: str) -> Drawing:
    """Render to SVG without date, and with ids that follow from `name`."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return Drawing(name, buffer.getvalue(), alt, caption)

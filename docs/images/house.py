"""The rooms of reidpipe, from the contract of imports in pyproject.toml: docs/images/house.svg.

python docs/images/house.py
"""

import ast
import textwrap
import tomllib
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from reidpipe.reporting.pictures.drawing import INK, MUTED, PAPER, RULE, canvas, drawing, look

OUT = Path("docs/images")
WIDTH, GAP = 10.0, 0.1
TITLE, LINE = 0.4, 0.14
"""Heights, in the units of the width, which are inches."""
LETTERS = 17
"""Per unit of width."""


def layers() -> list[list[str]]:
    """Rooms from the top down; those of a row know nothing of each other."""
    settings = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = [
        c for c in settings["tool"]["importlinter"]["contracts"] if c["type"] == "layers"
    ]
    return [
        [room.removeprefix("reidpipe.") for room in row.split(" | ")] for row in contract["layers"]
    ]


def says(room: str) -> str:
    """First sentence of a room's docstring."""
    path = Path("reidpipe", room)
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return text.split("\n")[0].rstrip(".")


def row(axes: Axes, rooms: list[str], top: float) -> float:
    """Boxes of equal width across the picture; how far down they reach."""
    width = (WIDTH - GAP * (len(rooms) - 1)) / len(rooms)
    told = [textwrap.wrap(says(room), int(LETTERS * (width - 0.1))) for room in rooms]
    height = TITLE + LINE * max(map(len, told))
    for number, (room, lines) in enumerate(zip(rooms, told, strict=True)):
        left = number * (width + GAP)
        box = Rectangle((left, top - height), width, height, facecolor=PAPER, edgecolor=RULE)
        axes.add_patch(box)
        axes.text(left + 0.1, top - 0.08, room, va="top", color=INK, weight="bold", fontsize=10)
        text = "\n".join(lines)
        axes.text(left + 0.1, top - 0.33, text, va="top", color=MUTED, fontsize=7, linespacing=1.3)
    return top - height - GAP


def main() -> None:
    with look():
        figure, (axes,) = canvas(10.0, 7.2)
        axes.set_axis_off()
        top = 0.0
        for rooms in layers():
            top = row(axes, rooms, top)
        axes.set(xlim=(-0.05, WIDTH + 0.05), ylim=(top, 0.05))
        spoken = "; ".join(" | ".join(rooms) for rooms in layers())
        drawing("house", figure, f"Rooms from the top down: {spoken}.", "").write(OUT)


if __name__ == "__main__":
    main()

"""A cell of a searched network as JSON: for each of its four nodes, the two edges that it sums.

States 0 and 1 are what the cell is given, the older first; 2 to 5 are its nodes. An edge is an
operation and the state that it reads.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reidpipe.errors import UserError
from reidpipe.files import write_text

Edge = tuple[str, int]
Nodes = Sequence[Sequence[Edge]]
"""Edges by node."""
Cell = Mapping[str, Nodes]
"""Nodes by kind."""

KINDS = ("normal", "reduce")
"""A cell that keeps the size of its maps, and one that halves it."""
OPERATIONS = ("skip", "max", "average", "separable", "dilated", "part")
NODES, EDGES = 4, 2
EXPECTED = (
    f"{' and '.join(KINDS)}: {NODES} nodes of {EDGES} edges [OPERATION, STATE] each, with one of "
    f"{', '.join(OPERATIONS)}, and the state of an input (0, 1) or of a node before (2 and up)"
)


def read(path: Path) -> Cell:
    """The cell of a file.

    Raises:
        UserError: there is none, or it is not JSON, or no cell.
    """
    fix = "dvc repro (or dvc pull)"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError("the cell of a network is missing", where=path, fix=fix) from None
    except ValueError as error:
        raise UserError("a cell is not JSON", where=path, found=error, fix=fix) from None
    return checked(content, path)


def write(path: Path, cell: Cell) -> None:
    """A node a line, atomically."""
    kinds = [
        f'  "{kind}": [\n    '
        + ",\n    ".join(json.dumps([list(edge) for edge in node]) for node in cell[kind])
        + "\n  ]"
        for kind in KINDS
    ]
    write_text(path, "{\n" + ",\n".join(kinds) + "\n}\n")


def checked(content: Any, where: object) -> Cell:
    """`content`, if it is a cell.

    Raises:
        UserError: it is none.
    """
    if not isinstance(content, dict) or sorted(content) != sorted(KINDS):
        raise UserError("not the cell of a network", where=where, expected=EXPECTED, found=content)
    for kind, nodes in content.items():
        fits = isinstance(nodes, list | tuple) and len(nodes) == NODES
        if not fits or not all(_is_node(node, first) for first, node in enumerate(nodes)):
            place = f"{where}: {kind}"
            raise UserError(
                "not the cell of a network", where=place, expected=EXPECTED, found=nodes
            )
    return content


def _is_node(node: Any, number: int) -> bool:
    """Whether it is the node `number`, from 0."""
    if not isinstance(node, list | tuple) or len(node) != EDGES:
        return False
    return all(
        isinstance(edge, list | tuple)
        and len(edge) == 2  # noqa: PLR2004 - operation and state
        and edge[0] in OPERATIONS
        and type(edge[1]) is int
        and 0 <= edge[1] < number + 2
        for edge in node
    )

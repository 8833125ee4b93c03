"""Find a benchmark's layout in a tree of files, or say what stands there instead."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from reidpipe.datasets import dukemtmc, market1501, msmt17
from reidpipe.datasets.reading import Reading
from reidpipe.datasets.sources.listing import Tree
from reidpipe.errors import Problems, UserError, nearest


class Layout(Protocol):
    """What a layout's module declares."""

    @property
    def VARIANTS(self) -> tuple[tuple[str, ...], ...]:  # noqa: N802
        """Entries that must stand at its root, folders with a slash; a tuple per version."""

    def read(self, tree: Tree, problems: Problems) -> Reading:
        """Records of a tree at its root; what is wrong goes to `problems`."""


LAYOUTS: dict[str, Layout] = {
    "market1501": market1501,
    "dukemtmc": dukemtmc,
    "msmt17": msmt17,
}

_TREE_LINES = 15


def locate(tree: Tree, layout: str) -> Tree:
    """The tree below the layout's own root: where it was opened, or in one wrapping folder.

    Raises:
        UserError: a folder or list of the layout is missing, or stands at another level.
    """
    variants: tuple[tuple[str, ...], ...] = LAYOUTS[layout].VARIANTS
    entries = _entries(tree)
    roots = [root for root in _roots(entries) if any(_has(entries, root, v) for v in variants)]
    near = [root for root in roots if root.count("/") <= 1]
    if len(near) == 1:
        return tree.under(near[0])
    raise UserError(
        f"not the layout {layout}" if not roots else "the layout stands at another level",
        where=tree.path,
        expected=" or ".join(", ".join(variant) for variant in variants)
        + " at the top, or in one folder",
        found="\n".join(_short(tree)),
        fix=_fix(tree.path, entries, roots, variants),
    )


def _entries(tree: Tree) -> set[str]:
    """Every file, and every folder with a slash at its end."""
    folders = {name[: i + 1] for name in tree.sizes for i, sign in enumerate(name) if sign == "/"}
    return folders | tree.sizes.keys()


def _roots(entries: set[str]) -> list[str]:
    return ["", *sorted(entry for entry in entries if entry.endswith("/"))]


def _has(entries: set[str], root: str, variant: Iterable[str]) -> bool:
    return all(root + entry in entries for entry in variant)


def _fix(
    path: Path, entries: set[str], roots: list[str], variants: tuple[tuple[str, ...], ...]
) -> str:
    if len(roots) > 1:
        return f"it stands in {', '.join(roots)}: keep or name one of them"
    if roots:
        return f"it stands in {roots[0]}: name that folder, or pack it alone"
    wanted = [entry for variant in variants for entry in variant]
    if path.is_dir() and f"{path.name}/" in wanted:
        return f"{path.name} is one of them: name the folder that holds it"
    names = {entry.rstrip("/").rpartition("/")[2] for entry in entries}
    missing = [entry.rstrip("/") for entry in variants[0] if not _anywhere(entries, entry)]
    hints = [f"{name} is missing; {hint}" for name in missing if (hint := _nearest(name, names))]
    return "\n".join(hints) or "name the folder that holds them, or the publisher's archive"


def _anywhere(entries: set[str], wanted: str) -> bool:
    return any(entry == wanted or entry.endswith("/" + wanted) for entry in entries)


def _nearest(name: str, names: set[str]) -> str:
    same = [other for other in sorted(names) if other.lower() == name.lower()]
    return f"did you mean {same[0]!r}? rename it" if same else nearest(name, names)


def _short(tree: Tree) -> list[str]:
    """The folders of the tree, each with its number of files, from the top down."""
    counts = Counter(name.rpartition("/")[0] for name in tree.sizes)
    shown = sorted(counts, key=lambda folder: (folder.count("/"), folder))
    lines = [f"{ascii(folder)[1:-1] or '.'}/ {counts[folder]} files" for folder in shown]
    more = len(lines) - _TREE_LINES
    return (lines[:_TREE_LINES] + [f"and {more} more folders"] * (more > 0)) or ["nothing"]

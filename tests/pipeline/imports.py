"""Which modules of reidpipe a script can reach, by its imports (also those in functions)."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "reidpipe"


def reachable(script: Path, root: Path) -> set[Path]:
    """Files of the package that `script` can import, relative to `root`."""
    seen: set[Path] = set()
    waiting = [script]
    while waiting:
        for name in _imported(waiting.pop()):
            for path in _files(name, root):
                if path not in seen:
                    seen.add(path)
                    waiting.append(root / path)
    return seen


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative imports hide from this test"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _files(name: str, root: Path) -> Iterator[Path]:
    """The module `name` and every package above it, where they are files of ours."""
    parts = name.split(".")
    if parts[0] != PACKAGE:
        return
    for depth in range(1, len(parts) + 1):
        stem = Path(*parts[:depth])
        for path in (stem / "__init__.py", stem.with_suffix(".py")):
            if (root / path).is_file():
                yield path

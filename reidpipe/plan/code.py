"""A digest of the code that a stage can reach, which no comment, docstring or blank line changes.

It is taken of the text, without the places where those stand: a syntax tree is written differently
by each version of Python. With it go files that are no code beside what is reached (templates,
styles) and the versions of the libraries that compute.
"""

import ast
import hashlib
import io
import json
import re
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple, TypeGuard

from reidpipe.errors import UserError

PACKAGE = "reidpipe"
LIBRARIES = {
    "torch": "torch",
    "torchvision": "torchvision",
    "numpy": "numpy",
    "scipy": "scipy",
    "PIL": "pillow",
    "sklearn": "scikit-learn",
    "pandas": "pandas",
    "safetensors": "safetensors",
    "matplotlib": "matplotlib",
}
"""Whose version can change a result, by the name of the import."""
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
_LENGTH = 16


class Module(NamedTuple):
    """What is known of one file."""

    imports: list[Path]
    """Files of ours that it imports, with every package above them."""
    libraries: set[str]
    """Those of LIBRARIES that it imports."""
    code: str
    """Hash of what it says to Python."""


class Code:
    """The package and the stages below `root`; each file is read once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._modules: dict[Path, Module] = {}
        self._digests: dict[tuple[str, ...], str] = {}
        self._named: dict[str, list[Path]] = {}

    def digest(self, *files: str) -> str:
        """Hash of `files`, relative to the root, and of all that they can import.

        Raises:
            UserError: one of them is missing or is not Python.
        """
        if files not in self._digests:
            reached = self.reached(files)
            names = {name for path in reached for name in self._module(path).libraries}
            pins = {name: self.libraries.get(name) for name in names}
            hashes = {path.as_posix(): self._module(path).code for path in reached}
            hashes |= {path.as_posix(): _hash(self._bytes(path)) for path in self._data(reached)}
            self._digests[files] = _hash(json.dumps([hashes, pins], sort_keys=True).encode())
        return self._digests[files]

    def reached(self, files: Iterable[str]) -> set[Path]:
        """`files` and every module that an import of theirs, wherever it stands, can load."""
        waiting, found = [Path(name) for name in files], set[Path]()
        while waiting:
            if (path := waiting.pop()) not in found:
                found.add(path)
                waiting += self._module(path).imports
        return found

    @cached_property
    def libraries(self) -> dict[str, str]:
        """Versions of LIBRARIES, from requirements.lock."""
        pinned = dict(_PIN.findall(self._bytes(Path("requirements.lock")).decode()))
        return {name: pinned[name] for name in LIBRARIES.values() if name in pinned}

    def _data(self, reached: set[Path]) -> Iterator[Path]:
        """Files that are no modules in the folders below the packages reached."""
        packages = {path.parent for path in reached if path.name == "__init__.py"} - {Path(PACKAGE)}
        for folder in packages:
            for file in (self.root / folder).glob("*/*"):
                modules = file.suffix == ".py" or file.parent.name.startswith(("_", "."))
                if not modules and file.is_file():
                    yield file.relative_to(self.root)

    def _module(self, path: Path) -> Module:
        if path not in self._modules:
            try:
                names, code = _read(self._bytes(path).decode())
            except SyntaxError as error:
                where = f"{path}:{error.lineno}"
                raise UserError("a module is not Python", where=where, found=error.msg) from None
            files = [file for name in sorted(names) for file in self._files(name)]
            tops = {name.partition(".")[0] for name in names}
            libraries = {LIBRARIES[name] for name in tops & LIBRARIES.keys()}
            self._modules[path] = Module(files, libraries, code)
        return self._modules[path]

    def _bytes(self, path: Path) -> bytes:
        try:
            return (self.root / path).read_bytes()
        except FileNotFoundError:
            raise UserError("a file is missing", where=path, fix=f"git restore {path}") from None

    def _files(self, name: str) -> list[Path]:
        """The module `name` and every package above it, where they are files of ours."""
        if name.partition(".")[0] != PACKAGE:
            return []
        if name not in self._named:
            stem, above = Path(*name.split(".")), name.rpartition(".")[0]
            own = (stem / "__init__.py", stem.with_suffix(".py"))
            found = [path for path in own if (self.root / path).is_file()]
            self._named[name] = [*self._files(above), *found]
        return self._named[name]


@cache
def _read(text: str) -> tuple[frozenset[str], str]:
    """The names that a module imports, and the hash of what it says to Python.

    Raises:
        SyntaxError: it is not Python.
    """
    nodes = list(ast.walk(ast.parse(text)))
    return frozenset(_imported(nodes)), _hash(bare(text, nodes).encode())


def bare(text: str, nodes: Sequence[ast.AST]) -> str:
    """A module's `text` without comments, strings that stand alone and blank lines.

    `nodes` are those of its tree. Such strings are docstrings: of modules, functions, attributes.
    """
    lines = text.encode().split(b"\n")
    cuts = [*_docstrings(nodes, lines), *_comments(text)]
    for row, start, end in sorted(cuts, reverse=True):
        lines[row] = (lines[row][:start] + lines[row][end:]).rstrip()
    emptied = {row for row, _, _ in cuts}
    kept = _within_strings(nodes) - emptied
    return b"\n".join(line for row, line in enumerate(lines) if line or row in kept).decode()


def _docstrings(nodes: Sequence[ast.AST], lines: list[bytes]) -> Iterator[tuple[int, int, int]]:
    """Row, first byte and end of each line of a string that stands alone."""
    for node in nodes:
        if isinstance(node, ast.Expr) and _is_string(node.value):
            first, last = node.lineno - 1, (node.end_lineno or 0) - 1
            for row in range(first, last + 1):
                start = node.col_offset if row == first else 0
                yield row, start, (node.end_col_offset or 0) if row == last else len(lines[row])


def _comments(text: str) -> Iterator[tuple[int, int, int]]:
    if "#" in text:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                # Positions of tokens count characters, those of nodes count bytes.
                start = len(token.line[: token.start[1]].encode())
                yield token.start[0] - 1, start, start + len(token.string.encode())


def _within_strings(nodes: Sequence[ast.AST]) -> set[int]:
    """Rows that begin inside a string: there an empty line is a part of it."""
    strings = (node for node in nodes if _is_string(node))
    return {row for node in strings for row in range(node.lineno, node.end_lineno or 0)}


def _is_string(node: ast.AST) -> TypeGuard[ast.expr]:
    constant = isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    return constant or isinstance(node, ast.JoinedStr)


def _imported(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """Names of modules, and of what is taken from them, which may be modules."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_LENGTH]

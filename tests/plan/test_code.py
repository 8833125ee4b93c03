"""The digest of code: what Python does not run changes nothing, everything else does."""

import ast
import io
import json
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from reidpipe.plan.code import Code, bare
from tests.fresh import python

ROOT = Path(__file__).parents[2]
MODULES = sorted([*(ROOT / "reidpipe").rglob("*.py"), *(ROOT / "stages").glob("*.py")])
STAGES = sorted(path.stem for path in (ROOT / "stages").glob("[a-z]*.py"))
DYNAMIC = {
    "reidpipe/layers/placement.py": ['module = import_module(f"reidpipe.attention.{attention}")'],
    "reidpipe/systems/__init__.py": [
        'found: type[System] = import_module(f"reidpipe.systems.{system}").Network',
        'found: Recipe = import_module(f"reidpipe.systems.{system}").recipe(**options)',
    ],
}
"""Where a module is chosen by its name; resolve names those of a run itself."""

CODE = '''"""A module."""
import os  # what for

LIMIT = 3
"""Of tries."""


def name(path: str) -> str:
    """What it is called."""
    text = (
        "a # b"
        "c"
    )
    return f"{path}#{text}"


class Box:
    width: int = 1

    def area(self) -> str:
        return """
# no comment

"""
'''


def text_of(text: str) -> str:
    return bare(text, list(ast.walk(ast.parse(text))))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("import os  # what for", "import os"),
        ("import os  # what for", "import os  # else"),
        ('"""A module."""', '"""Another\nmodule, with # signs.\n"""'),
        ('"""A module."""\n', ""),
        ('"""Of tries."""\n', ""),
        ("LIMIT = 3\n", "LIMIT = 3\n\n\n\n# on its own\n\n"),
        ("LIMIT = 3\n", "LIMIT = 3  # ü, two bytes # and more\n"),
        ('    """What it is called."""\n', '    # a word\n    """Its name."""  # and one\n'),
        ('        "a # b"\n', '        # within\n        "a # b"  # between\n'),
        ("class Box:\n", "# of all\n\nclass Box:\n    # some\n    '''Boxes.'''\n\n"),
        ("    width: int = 1\n", "    width: int = 1\n    '''In metres.'''\n"),
    ],
)
def test_what_python_does_not_run_changes_nothing(old: str, new: str) -> None:
    assert CODE.count(old) == 1
    assert text_of(CODE.replace(old, new)) == text_of(CODE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 3", "LIMIT = 4"),
        ("LIMIT = 3", "LIMITS = 3"),
        ('"a # b"', '"a # c"'),
        ('f"{path}#{text}"', 'f"{path}##{text}"'),
        ('"""\n# no comment', '"""\n# a comment'),
        ("# no comment\n\n", "# no comment\n"),
        ("    width: int = 1\n", "    width: int = 1; 'b'.upper()\n"),
        ('    return f"', '    return "" or f"'),
        ("import os  # what for", "import sys  # what for"),
    ],
)
def test_what_python_runs_changes_it(old: str, new: str) -> None:
    assert CODE.count(old) == 1
    assert text_of(CODE.replace(old, new)) != text_of(CODE)


def said(text: str) -> list[str]:
    """Tokens of a module that Python acts on, by the tokens alone: the oracle."""
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING}
    tokens = [
        t for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type not in skipped
    ]
    lines: list[list[str]] = [[]]
    strings: list[bool] = [True]
    for token in tokens:
        if token.type == tokenize.NEWLINE:
            lines.append([])
            strings.append(True)
        elif token.string:
            lines[-1].append(token.string)
            strings[-1] &= token.type == tokenize.STRING
    return [word for line, alone in zip(lines, strings, strict=True) if not alone for word in line]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_that_runs_is_cut_from_any_module(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert said(text_of(text)) == said(text)


def commented(text: str) -> Iterator[str]:
    """The module with a comment below each of some lines that end a statement."""
    lines = text.splitlines()
    for node in list(ast.walk(ast.parse(text)))[1::7]:
        if isinstance(node, ast.stmt) and node.end_lineno and not _compound(node):
            indent = " " * node.col_offset
            yield "\n".join(
                [*lines[: node.end_lineno], f"{indent}# new", *lines[node.end_lineno :]]
            )


def _compound(node: ast.stmt) -> bool:
    return hasattr(node, "body")


@pytest.mark.parametrize("path", MODULES[::9], ids=lambda path: str(path.relative_to(ROOT)))
def test_a_comment_anywhere_changes_no_module(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for other in commented(text):
        assert text_of(other) == text_of(text)


LOADED = """
import importlib, json, os, sys
import matplotlib, pandas, pydantic, sklearn, torch, torchvision  # once for all forks

for stage in sys.argv[1:]:
    if (pid := os.fork()) == 0:
        importlib.import_module(f"stages.{stage}")
        ours = {name: m for name, m in sys.modules.items() if name.split(".")[0] == "reidpipe"}
        print(json.dumps([stage, [module.__file__ for module in ours.values()]]), flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
"""


@pytest.mark.slow
def test_all_that_a_stage_loads_is_in_its_digest() -> None:
    """By Python's own import, in a process for each stage."""
    done = python("-c", LOADED, *STAGES)
    assert done.returncode == 0, done.stderr
    loaded = dict(json.loads(line) for line in done.stdout.splitlines())
    assert sorted(loaded) == STAGES
    # The package of the stages settles its process, which decides no result.
    settled = {Path("reidpipe/runtime/process.py")}
    for stage, files in loaded.items():
        found = {Path(name).relative_to(ROOT) for name in files} - settled
        assert found
        assert found <= Code(ROOT).reached([f"stages/{stage}.py"]), stage


def test_no_other_import_is_dynamic() -> None:
    """The walk follows `import` alone: what loads a module otherwise would hide it."""
    suspicious = ("importlib", "import_module", "__import__", "exec(", "runpy", "spec_from_file")
    code = {p.relative_to(ROOT).as_posix(): text_of(p.read_text("utf-8")) for p in MODULES}
    found = {name for name, text in code.items() if any(word in text for word in suspicious)}
    # They ask importlib whether libraries are there.
    harmless = {"reidpipe/commands/export/__init__.py", "reidpipe/formats/checkpoints/files.py"}
    assert found == DYNAMIC.keys() | harmless
    for path, expected in DYNAMIC.items():
        lines = (ROOT / path).read_text().splitlines()
        assert [line.strip() for line in lines if "import_module(" in line] == expected


def test_no_import_is_relative() -> None:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.ImportFrom) and node.level), path


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A package of two rooms, with a template beside one."""
    files = {
        "stages/a.py": "from reidpipe.one import thing\n",
        "stages/b.py": "import reidpipe.two.page\nimport torch\n",
        "reidpipe/__init__.py": "",
        "reidpipe/one.py": "import numpy as np\nthing = 1\n",
        "reidpipe/two/__init__.py": "",
        "reidpipe/two/page.py": "def page() -> None:\n    from reidpipe import one\n",
        "reidpipe/two/templates/page.html": "<p>\n",
        "requirements.lock": "numpy==2.1 \\\n    --hash=sha256:0\ntorch==2.14.1 ; x\nrich==1\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "old", "new", "stale"),
    [
        ("reidpipe/one.py", "thing = 1", "thing = 2", {"a", "b"}),
        ("reidpipe/one.py", "thing = 1", "thing = 1  # one", set()),
        ("reidpipe/two/page.py", "page()", "pages()", {"b"}),
        ("reidpipe/two/templates/page.html", "<p>", "<b>", {"b"}),
        ("requirements.lock", "torch==2.14.1", "torch==2.15.0", {"b"}),
        ("requirements.lock", "numpy==2.1", "numpy==2.2", {"a", "b"}),
        ("requirements.lock", "rich==1", "rich==2", set()),
    ],
)
def test_a_change_concerns_what_can_reach_it(
    house: Path, file: str, old: str, new: str, stale: set[str]
) -> None:
    def digests() -> dict[str, str]:
        code = Code(house)
        return {name: code.digest(f"stages/{name}.py") for name in "ab"}

    before = digests()
    text = (house / file).read_text()
    assert old in text
    (house / file).write_text(text.replace(old, new))
    after = digests()
    assert {name for name in "ab" if before[name] != after[name]} == stale

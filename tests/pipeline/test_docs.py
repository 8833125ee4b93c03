"""What the documents name is there: commands, options, parameters, files; CI runs one script."""

import re
import shlex
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import pytest
import typer
import yaml
from typer.core import TyperGroup

from reidpipe.cli import app
from reidpipe.formats.params import load

ROOT = Path(__file__).parents[2]
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
)
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in DOCUMENTS}
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())
PROFILES = ("embedded", "paper")


def commands(text: str) -> Iterator[list[str]]:
    """Words of each command (not what it is piped into) of console blocks and inline code."""
    blocks = re.findall(r"^```console\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    prompts = [line for block in blocks for line in block.splitlines()]
    typed = [line.removeprefix("$ ") for line in prompts if line.startswith("$ ")]
    typed += [line for block in blocks if "$ " not in block for line in block.splitlines()]
    typed += re.findall(r"`((?:make|dvc|reidpipe|\.ci/run)\b[^`]*)`", text)
    for line in typed:
        words = shlex.split(line.replace("\n", " "), comments=True)
        yield words[: words.index("|")] if "|" in words else words


def named(program: str) -> list[tuple[str, list[str]]]:
    return [
        (document, words)
        for document, text in TEXTS.items()
        for words in commands(text)
        if words and words[0] == program
    ]


def test_the_documents_name_commands_at_all() -> None:
    assert {"make", "dvc", "reidpipe"} <= {w[0] for t in TEXTS.values() for w in commands(t) if w}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_linked_files_exist(document: str) -> None:
    links = re.findall(r"\]\(([^)#:\s]+)(?:#([\w-]+))?\)", TEXTS[document])
    for name, anchor in links:
        path = (ROOT / document).parent / name
        assert path.exists(), name
        if anchor:
            titles = re.findall(r"^#+ (.*)$", path.read_text(), flags=re.MULTILINE)
            assert anchor in {re.sub(r"[^\w-]", "", t.lower().replace(" ", "-")) for t in titles}


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = {word for _, words in named("make") for word in words[1:] if word.isalpha()}
    assert {"tables", "test", "check"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


@pytest.mark.parametrize(("document", "words"), named("reidpipe"), ids=str)
def test_reidpipe_takes_the_command(document: str, words: list[str]) -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    assert words[1] in group.commands
    group.commands[words[1]].make_context(words[1], words[2:])  # parses, and runs nothing


def resolved(content: object, key: str) -> bool:
    for part in key.split("."):
        if not isinstance(content, Mapping) or part not in content:
            return False
        content = content[part]
    return True


def settings() -> set[str]:
    """KEY=VALUE after each `-S`, in commands and alone in inline code; `PROFILE` is either."""
    found = {
        after
        for _, words in named("dvc")
        for word, after in pairwise(words)
        if word in ("-S", "--set-param")
    }
    inline = (re.findall(r"`-S '?([^`']+)'?`", text) for text in TEXTS.values())
    return found.union(*inline)


def test_parameters_that_are_set_exist() -> None:
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    assert settings()
    for setting in settings():
        key = setting.partition("=")[0]
        if not key.startswith("+"):
            assert resolved(content, key), key


@pytest.mark.parametrize("document", DOCUMENTS)
def test_parameters_that_are_explained_exist(document: str) -> None:
    content = load(ROOT / "params.yaml").model_dump(by_alias=True)
    for key in re.findall(r"`PROFILE\.([\w.]+)`", TEXTS[document]):
        assert all(resolved(content[profile], key) for profile in PROFILES), key


def test_dvc_targets_exist() -> None:
    runs = yaml.safe_load((ROOT / "runs.yaml").read_text())["runs"]
    targets = [word for _, words in named("dvc") for word in words[1:] if "@" in word]
    assert targets
    for target in targets:
        stage, _, item = target.partition("@")
        assert stage in PIPELINE["stages"], target
        # "mine" is the reader's own, which docs/datasets.md and docs/extending.md add.
        assert item in runs or item.isupper() or re.match(r"mine\b", item), target


def test_python_scripts_and_modules_exist() -> None:
    for _, words in named("python"):
        named_module = words[1] == "-m"
        path = words[2].replace(".", "/") + ".py" if named_module else words[1]
        assert (ROOT / path).exists(), path


def test_the_workflow_is_ci_run_with_pinned_actions() -> None:
    """Steps of their own would be what a user of GitHub sees and nobody else does."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    assert workflow["permissions"] == {"contents": "read"}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    scripts = [step for step in steps if "run" in step and step.get("if") != "always()"]
    assert [step["run"] for step in scripts] == ["bash .ci/run"]
    actions = [step["uses"] for step in steps if "uses" in step]
    assert actions
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action) for action in actions)


def test_ci_run_has_every_target_that_checks() -> None:
    script = (ROOT / ".ci/run").read_text()
    targets = set(re.findall(r"^step make --no-print-directory (\w+)", script, flags=re.MULTILINE))
    assert targets == {"check", "test", "tables", "slow"}
    makefile = (ROOT / "Makefile").read_text()
    recipes = dict(re.findall(r"^(\w+): \$\(READY\).*\n((?:\t.*\n)+)", makefile, re.M))
    assert recipes["coverage"].strip() == f"{recipes['test'].strip()} --cov"
    assert '-m "$(FAST)"' in recipes["test"]
    assert '-m "$(LONG)"' in recipes["slow"]
    assert "\nFAST := not slow and not browser and not paper\n" in makefile
    assert script.endswith(' slow LONG="slow or browser"\n'), (
        "each test is in one of the two, those of `paper` excepted"
    )


def test_make_bench_runs_claims_of_speed_and_no_study() -> None:
    """A new script is one or the other: it comes into Makefile, or here."""
    studies = {"exports", "faults", "fingerprint", "gate", "large", "lengths", "mutations"}
    studies |= {"odd", "pipeline", "pose", "spread", "threads", "variants"}
    listed = re.search(r"^SPEED := (.*)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert listed
    scripts = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
    assert set(listed[1].split()) == scripts - studies


def test_a_commit_is_checked_by_the_tools_of_make_check() -> None:
    """Local hooks run .venv, so that no version is written twice."""
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    assert {repo["repo"] for repo in config["repos"]} == {"local"}
    assert all(hook["entry"].startswith(".venv/bin/") for hook in hooks)
    tools = {Path(hook["entry"].split()[0]).name for hook in hooks}
    makefile = (ROOT / "Makefile").read_text()
    checked = re.search(r"^check:.*\n((?:\t.*\n)+)", makefile, flags=re.MULTILINE)
    assert checked
    assert tools == {line.split()[0] for line in checked[1].splitlines()}
    lock = (ROOT / "requirements.lock").read_text()
    for tool in tools - {"lint-imports"}:
        assert re.search(rf"^{tool}==", lock, flags=re.MULTILINE), tool


def test_the_citation_has_this_version_and_the_paper() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    pyproject = (ROOT / "pyproject.toml").read_text()
    assert f'version = "{citation["version"]}"' in pyproject
    assert citation["license"] == "Apache-2.0"
    assert citation["references"][0]["title"] in (ROOT / "README.md").read_text().replace("\n", " ")

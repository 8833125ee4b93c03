"""Code is a dependency: a stage that misses a module in its deps would keep stale results."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from tests.pipeline.imports import reachable

ROOT = Path(__file__).parents[2]
ATTENTION = Path("reidpipe/models/attention")


def resolved_deps(root: Path) -> Iterator[tuple[str, set[Path]]]:
    """Each stage of dvc.yaml, templates resolved, with its deps relative to the root."""
    with Repo(str(root)) as repo:
        for stage in repo.index.stages:
            deps = {Path(dep.def_path) for dep in stage.deps}
            yield stage.addressing.split(":")[-1], deps


def covered(module: Path, deps: set[Path]) -> bool:
    return module in deps or any(parent in deps for parent in module.parents)


def modules(script: str, root: Path) -> set[Path]:
    """`stages/SCRIPT.py` and what it can reach, attention files aside."""
    path = Path(f"stages/{script}.py")
    found = {module for module in reachable(root / path, root) if module.parent != ATTENTION}
    assert found, "the walk found nothing: it would never fail"
    return {path, *found}


def missing_deps(root: Path) -> dict[str, list[str]]:
    """Modules that each stage of the repository `root` can reach and its deps miss."""
    stages = dict(resolved_deps(root))
    scripts = {name: name.partition("@")[0] for name in stages}
    needed = {script: modules(script, root) for script in set(scripts.values())}
    missing = {
        name: sorted(str(m) for m in needed[scripts[name]] if not covered(m, deps))
        for name, deps in stages.items()
    }
    return {name: found for name, found in missing.items() if found}


STAGES = dict(resolved_deps(ROOT))


def test_deps_hold_every_reachable_module() -> None:
    assert missing_deps(ROOT) == {}


def test_folders_hold_reachable_modules_alone() -> None:
    """A folder is shorter to name; a module in it that the stage cannot reach would rerun it."""
    for name, deps in STAGES.items():
        folders = {dep for dep in deps if (ROOT / dep).is_dir() and dep.parts[0] == "reidpipe"}
        held = {path.relative_to(ROOT) for dep in folders for path in (ROOT / dep).rglob("*.py")}
        assert sorted(held - modules(name.partition("@")[0], ROOT)) == [], name


@pytest.mark.parametrize("stage", [name for name in STAGES if name.startswith("train@")])
def test_training_depends_on_its_own_attention_alone(stage: str) -> None:
    runs = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["train"]["foreach"]
    knobs = yaml.safe_load((ROOT / "params.yaml").read_text())
    attention = runs[stage.removeprefix("train@")]["model"]["attention"]
    own = knobs["attention"] if attention == "${attention}" else attention
    listed = {path.name for path in STAGES[stage] if path.parent == ATTENTION}
    assert listed - {"__init__.py"} == {f"{own}.py"}
    assert ATTENTION not in STAGES[stage]

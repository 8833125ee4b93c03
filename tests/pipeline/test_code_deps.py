"""Code is a dependency: a stage that misses a module in its deps would keep stale results."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from tests.pipeline.imports import reachable

ROOT = Path(__file__).parents[2]
ATTENTION = Path("reidpipe/models/attention")


def resolved_deps() -> Iterator[tuple[str, set[Path]]]:
    """Each stage of dvc.yaml, templates resolved, with its deps relative to the root."""
    with Repo(str(ROOT)) as repo:
        for stage in repo.index.stages:
            deps = {Path(dep.def_path) for dep in stage.deps}
            yield stage.addressing.split(":")[-1], deps


def covered(module: Path, deps: set[Path]) -> bool:
    return module in deps or any(parent in deps for parent in module.parents)


STAGES = dict(resolved_deps())


@pytest.mark.parametrize("stage", STAGES)
def test_deps_hold_every_reachable_module(stage: str) -> None:
    script = Path(f"stages/{stage.partition('@')[0]}.py")
    modules = {path for path in reachable(ROOT / script, ROOT) if path.parent != ATTENTION}
    assert script in STAGES[stage]
    assert modules, "the walk found nothing: it would never fail"
    missing = sorted(str(path) for path in modules if not covered(path, STAGES[stage]))
    assert not missing


@pytest.mark.parametrize("stage", [name for name in STAGES if name.startswith("train@")])
def test_training_depends_on_its_own_attention_alone(stage: str) -> None:
    runs = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["train"]["foreach"]
    knobs = yaml.safe_load((ROOT / "params.yaml").read_text())
    attention = runs[stage.removeprefix("train@")]["model"]["attention"]
    own = knobs["attention"] if attention == "${attention}" else attention
    listed = {path.name for path in STAGES[stage] if path.parent == ATTENTION}
    assert listed - {"__init__.py"} == {f"{own}.py"}
    assert ATTENTION not in STAGES[stage]

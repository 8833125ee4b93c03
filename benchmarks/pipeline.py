"""DVC's own seconds for many runs whose commands do nothing but write their outputs.

    python benchmarks/pipeline.py [RUNS]            44 without a number; takes a quarter of an hour

The stages are those of dvc.yaml, in a temporary repository: as they are (`plan`), and with every
module that a stage can reach as a dependency in the place of its key of the plan (`files`), which
is how they were before. Prints a JSON line for each: processor seconds of the first `dvc repro` and
of the next, which has nothing to do, and the sizes of dvc.yaml and dvc.lock.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from reidpipe.formats import runs as runs_file
from reidpipe.plan.code import Code
from reidpipe.plan.resolve import plan

ROOT = Path(__file__).parents[1]
RUNS = 44
STUB = 'for f in {outs}; do mkdir -p "$(dirname $f)"; echo "{{}}" > $f; done'


def stubbed(kind: str) -> dict[str, Any]:
    """dvc.yaml with stubs for commands; without `resolve`, whose plan is written once."""
    pipeline: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    code = Code(ROOT)
    del pipeline["stages"]["resolve"], pipeline["artifacts"], pipeline["plots"]
    for name, stage in pipeline["stages"].items():
        own = stage.get("do", stage)
        own["cmd"] = STUB.format(outs=" ".join(outputs(own)))
        if kind == "files":
            reached = sorted(code.reached([f"stages/{name}.py"]))
            own["deps"] = [*own.get("deps", []), *(path.as_posix() for path in reached)]
            del own["params"]
    report = pipeline["stages"]["report"]
    report["deps"] = [dep for dep in report["deps"] if dep not in ("reports/published.yaml",)]
    return pipeline


def outputs(stage: dict[str, Any]) -> list[str]:
    entries = [*stage.get("outs", []), *stage.get("metrics", []), *stage.get("plots", [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def made(folder: Path, kind: str, count: int) -> None:
    """A repository of `count` runs, a copy of the first of runs.yaml each."""
    listed = runs_file.load(ROOT / "runs.yaml")
    first = next(iter(listed.runs))
    names = [f"run-{number}" for number in range(count)]
    own = listed.runs[first].model_dump(exclude_none=True)
    content = {
        **listed.model_dump(include={"datasets", "weights"}),
        "runs": dict.fromkeys(names, own),
    }
    decided: dict[str, Any] = dict(plan(ROOT))
    for stage in ("train", "extract", "evaluate"):
        decided[stage] = dict.fromkeys(names, decided[stage][first])
    (folder / "runs.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    (folder / "plan.json").write_text(json.dumps(decided), encoding="utf-8")
    text = yaml.safe_dump(stubbed(kind), sort_keys=False)
    (folder / "dvc.yaml").write_text(text, encoding="utf-8")
    for name in ("reidpipe", "stages"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("seeds", "foreign"):
        (folder / "reports" / name).mkdir(parents=True)
        (folder / "reports" / name / "a.csv").touch()
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, cwd=folder, check=True)


def repro(folder: Path) -> float:
    """Processor seconds of `dvc repro`, which are DVC's own: the stubs take hardly any."""
    before = os.times()
    command = [sys.executable, "-m", "dvc", "repro", "-q"]
    subprocess.run(command, cwd=folder, check=True)
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])


def main(count: int = RUNS) -> None:
    for kind in ("plan", "files"):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            made(folder, kind, count)
            found = {"first_s": round(repro(folder), 1), "no_op_s": round(repro(folder), 1)}
            sizes = {
                "yaml_lines": len((folder / "dvc.yaml").read_text(encoding="utf-8").splitlines()),
                "lock_kb": round((folder / "dvc.lock").stat().st_size / 1024),
            }
            line = {"benchmark": f"pipeline-{kind}", "runs": count, **found, **sizes}
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

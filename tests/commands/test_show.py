"""reidpipe show: a table of what there is by now, and what rebuilds it."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from reidpipe.cli import app
from reidpipe.commands.show import build, list_targets
from reidpipe.errors import UserError
from reidpipe.files import digest
from reidpipe.formats import queries, ranking
from tests.parallel import built_once
from tests.reporting import fake

RUN, GONE, OTHER = "market1501-ours", "market1501-se", "market1501-eca"
STAGES = ("train", "extract", "evaluate")


@pytest.fixture
def repository(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One in whose midst `dvc repro` is: a run was not evaluated yet."""
    made = built_once(tmp_path_factory, "repository", fake.build)
    root = tmp_path / "copy"
    shutil.copytree(made, root, symlinks=True)
    for path in sorted((root / "runs").glob("*/ranking.npz")):
        scored = ranking.read(path).queries
        queries.write(root / f"reports/queries/{path.parent.name}.csv", scored)
    write_lock(root)
    (root / f"reports/metrics/{GONE}.json").unlink()
    return root


def write_lock(root: Path) -> None:
    """As if every run had just been made with the plan."""
    plan = json.loads((root / "plan.json").read_text())
    stages: dict[str, Any] = {}
    for run in plan["train"]:
        outs = (f"runs/{run}/model", f"runs/{run}/features", f"reports/metrics/{run}.json")
        path = ""
        for stage, out in zip(STAGES, outs, strict=True):
            md5 = "0"
            if stage == "evaluate":
                md5 = hashlib.md5((root / out).read_bytes(), usedforsecurity=False).hexdigest()
            stages[f"{stage}@{run}"] = {
                "cmd": stage,
                "deps": [{"path": path, "md5": "0"}] if path else [],
                "params": {"plan.json": {f"{stage}.{run}": plan[stage][run]}},
                "outs": [{"path": out, "md5": md5}],
            }
            path = out
    (root / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": stages}))


def statuses(root: Path) -> dict[str | None, str]:
    return {row.run: row.status for row in build("table1", root).rows}


def test_what_is_not_evaluated_yet_says_so(repository: Path) -> None:
    rows = {row.run: row for row in build("table1", repository).rows}
    assert rows[GONE].status == "not evaluated"
    assert rows[RUN].status == "rebuilt"
    assert rows[RUN].cells["mAP"].rebuilt is not None
    assert rows[RUN].versus_baseline is not None


@pytest.mark.parametrize("stage", STAGES)
def test_what_was_made_with_other_values_is_not_shown_as_made_with_these(
    repository: Path, stage: str
) -> None:
    path = repository / "plan.json"
    plan = json.loads(path.read_text())
    plan[stage][OTHER] = {**plan[stage][OTHER], "code": "edited"}
    path.write_text(json.dumps(plan))
    found = statuses(repository)
    assert found[OTHER] == "not evaluated"
    assert found[RUN] == "rebuilt"


def test_scores_of_an_older_model_are_not_shown(repository: Path) -> None:
    """In the midst of it: trained again, and not extracted yet."""
    path = repository / "dvc.lock"
    lock = json.loads(path.read_text())
    lock["stages"][f"train@{OTHER}"]["outs"][0]["md5"] = "1"
    path.write_text(json.dumps(lock))
    assert statuses(repository)[OTHER] == "not evaluated"


def test_one_camera_stops_no_table(repository: Path) -> None:
    (repository / f"reports/metrics/{OTHER}.json").write_text('{"num_query": 3}')
    (repository / f"reports/queries/{OTHER}.csv").write_text("query,ap,inp,first\n")
    write = (repository / f"reports/metrics/{GONE}.json").write_text
    write("{}")
    write_lock(repository)
    assert statuses(repository)[OTHER] == "not evaluated"


@pytest.mark.parametrize(
    "file", [f"reports/metrics/{OTHER}.json", f"reports/queries/{OTHER}.csv"], ids=str
)
def test_a_conflicted_file_is_named_where_its_table_is_asked_for(
    repository: Path, file: str
) -> None:
    (repository / f"reports/metrics/{GONE}.json").write_text("{}")
    (repository / file).write_text("<<<<<<< ours\n1\n=======\n2\n>>>>>>> theirs\n")
    write_lock(repository)
    with pytest.raises(UserError):
        build("table1", repository)
    assert build("table3", repository).rows


def test_a_fresh_clone_has_no_models_and_no_histories(repository: Path) -> None:
    before = build("table1", repository).rebuilt[RUN]
    shutil.rmtree(repository / "runs")
    row = build("table1", repository).rebuilt[RUN]
    assert row.cells == before.cells
    assert row.endings == {}


def test_foreign_features_are_shown_where_the_lock_has_their_split(repository: Path) -> None:
    row = build("table2", repository).rows[-1]
    assert (row.method, row.status) == ("foreign: theirs", "of another split")
    path, lock = "data/splits/market1501.csv", json.loads((repository / "dvc.lock").read_text())
    md5 = digest(repository / path, "md5")
    lock["stages"]["split@market1501"] = {"outs": [{"path": path, "md5": md5}]}
    (repository / "dvc.lock").write_text(json.dumps(lock))
    row = build("table2", repository).rows[-1]
    assert row.status == "not trained here"
    assert row.versus_baseline


def test_a_table_of_foreign_features_alone_is_one(repository: Path) -> None:
    about = repository / "reports/foreign/theirs/about.json"
    about.write_text(about.read_text().replace('"market1501"', "null"))
    (own,) = build("table5", repository).rows
    assert own.method == "foreign: theirs"


def test_the_targets_are_the_rows(repository: Path) -> None:
    assert f"evaluate@{RUN}" in list_targets("table1", repository)
    found = list_targets("table3", repository)
    rows = (
        "svdnet",
        "aacn",
        "hac",
        "dpfl",
        "dare",
        "gpreid",
        "pcb",
        "rpp",
        "ianet",
        "osnet",
        "ours-pretrained",
    )
    assert found == [f"evaluate@dukemtmc-{row}" for row in rows]


def test_what_was_left_out_is_no_target(repository: Path) -> None:
    runs = repository / "runs.yaml"
    text = runs.read_text()
    kept = [line for line in text.splitlines() if not line.startswith(f"  {GONE}:")]
    runs.unlink()
    runs.write_text("\n".join(kept))
    assert f"evaluate@{GONE}" not in list_targets("table1", repository)


def test_another_table_is_refused(repository: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'table1'"):
        build("tabel1", repository)


@pytest.mark.parametrize(
    ("options", "start"),
    [
        ([], "# Table 2."),
        (["--csv"], "table,profile,"),
        (["--tex"], "% needs"),
        (["--targets"], "e"),
    ],
)
def test_every_form(
    repository: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], start: str
) -> None:
    monkeypatch.chdir(repository)
    found = CliRunner().invoke(app, ["show", "table2", *options])
    assert found.exit_code == 0, found.output
    assert found.stdout.startswith(start)


def test_show_loads_no_torch() -> None:
    """It answers at once, also beside a training that takes every core."""
    code = "import reidpipe.commands.show, sys; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_one_form_at_once(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    found = CliRunner().invoke(app, ["show", "table2", "--csv", "--tex"])
    assert isinstance(found.exception, UserError)

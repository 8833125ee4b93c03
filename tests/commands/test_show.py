"""reidpipe show: a table of what there is by now, and what rebuilds it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reidpipe.cli import app
from reidpipe.commands.show import build, list_targets
from reidpipe.errors import UserError
from reidpipe.formats import queries, ranking
from tests.parallel import built_once
from tests.reporting import fake

RUN, GONE = "market1501-ours", "market1501-se"


@pytest.fixture
def repository(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One in whose midst `dvc repro` is: a run was not evaluated yet."""
    made = built_once(tmp_path_factory, "repository", fake.build)
    root = tmp_path / "copy"
    shutil.copytree(made, root, symlinks=True)
    for path in sorted((root / "runs").glob("*/ranking.npz")):
        scored = ranking.read(path).queries
        queries.write(root / f"reports/queries/{path.parent.name}.csv", scored)
    (root / f"reports/metrics/{GONE}.json").unlink()
    return root


def test_what_is_not_evaluated_yet_says_so(repository: Path) -> None:
    rows = {row.run: row for row in build("table1", repository).rows}
    assert rows[GONE].status == "not evaluated"
    assert rows[RUN].status == "rebuilt"
    assert rows[RUN].cells["mAP"].rebuilt is not None
    assert rows[RUN].versus_baseline is not None


def test_a_fresh_clone_has_no_models_and_no_histories(repository: Path) -> None:
    before = build("table1", repository).rebuilt[RUN]
    shutil.rmtree(repository / "runs")
    row = build("table1", repository).rebuilt[RUN]
    assert row.cells == before.cells
    assert row.ending is None
    assert not row.undertrained


def test_the_targets_are_the_rows(repository: Path) -> None:
    assert f"evaluate@{RUN}" in list_targets("table1", repository)
    assert list_targets("table3", repository) == ["evaluate@dukemtmc-ours-pretrained"]


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

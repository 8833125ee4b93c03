"""The whole pipeline, run by DVC in a clone with a tiny profile."""

import json
from pathlib import Path

import pytest

from reidpipe.commands.leave_out import leave_out
from tests.datasets.archives import market, to_zip
from tests.pipeline.clone import Clone, stages_run
from tests.pipeline.recipes import recipe

pytestmark = pytest.mark.slow

OURS = ["dukemtmc-ours-pretrained", "market1501-ours", "market1501-ours-pretrained"]
OURS = [*OURS, "msmt17-ours-pretrained"]
AFTER_OURS = sorted(
    [f"{stage}@{run}" for stage in ("train", "extract", "evaluate") for run in OURS]
    + ["resolve", "report"]
)


@pytest.fixture(scope="module")
def clone(twin: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return twin.copy(tmp_path_factory.mktemp("repro") / "clone")


@pytest.fixture(autouse=True)
def clean(clone: Clone) -> None:
    clone.run("git", "reset", "-q", "--hard")
    clone.run("git", "clean", "-qfd")
    clone.run("dvc", "checkout", "-q")


def test_all_tables_are_there_and_a_second_repro_does_nothing(clone: Clone) -> None:
    for number in (1, 2, 3, 4):
        for kind in ("md", "csv", "tex"):
            assert clone.read(f"reports/tables/table{number}.{kind}")
    assert stages_run(clone.run("dvc", "repro").stdout) == ["resolve"]


@pytest.mark.parametrize("change", ["attention=eca", "classifier=linear"])
def test_an_experiment_reruns_what_depends_on_it_alone(clone: Clone, change: str) -> None:
    said = clone.run("dvc", "exp", "run", "-S", change).stdout
    assert stages_run(said) == AFTER_OURS
    diff = clone.run("dvc", "metrics", "diff", "--all", "--json").stdout
    for path in sorted((clone.folder / "reports/metrics").glob("*.json")):
        changed = path.stem in OURS
        tracked = clone.run("git", "diff", "--quiet", "HEAD", "--", str(path), check=False)
        assert (tracked.returncode != 0) == changed, path.stem
        assert path.name in diff or not changed


EVERY = ["train", "extract", "report"]


@pytest.mark.parametrize(
    ("file", "old", "new", "stale"),
    [
        ("attention/eca.py", "padding=k // 2", "padding=(k - 1) // 2", EVERY),
        ("attention/eca.py", "PLACE = ", "# a comment\nPLACE = ", []),
        ("training/loop.py", "while position", "# a comment\n        while position", []),
        ("reporting/report.py", "for table in tables", "for table in [*tables]", ["report"]),
    ],
)
def test_an_edited_line_concerns_what_runs_it(
    clone: Clone, file: str, old: str, new: str, stale: list[str]
) -> None:
    path = clone.folder / "reidpipe" / file
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    clone.run("dvc", "repro", "resolve")
    said = set(json.loads(clone.run("dvc", "status", "--json").stdout)) - {"resolve"}
    assert said == {s if s == "report" else f"{s}@market1501-eca" for s in stale}


def test_a_sixth_attention_is_one_file_and_one_line(clone: Clone) -> None:
    file, line, _ = recipe("An attention module")
    for block in (file, line):
        block.apply(clone.folder)
    assert clone.state() == f" M runs.yaml\n?? {file.path}\n"
    assert clone.run("git", "diff", "--shortstat").stdout == " 1 file changed, 1 insertion(+)\n"
    said = clone.run("dvc", "repro").stdout
    expected = [f"{stage}@market1501-gain" for stage in ("evaluate", "extract", "train")]
    assert stages_run(said) == sorted([*expected, "report", "resolve"])
    assert "not in the paper" in clone.read("reports/tables/table1.md")


@pytest.mark.parametrize("dataset", ["market1501", "dukemtmc"])
def test_without_a_data_set_the_rest_is_reported(clone: Clone, dataset: str) -> None:
    tables = {1: "market1501", 2: "market1501", 3: "dukemtmc", 4: "msmt17"}

    def rows_left_out() -> dict[int, int]:  # the clone has not all of the runs to begin with
        texts = {table: clone.read(f"reports/tables/table{table}.md") for table in tables}
        return {table: text.count("left out") for table, text in texts.items()}

    before = rows_left_out()
    leave_out(dataset, clone.folder)
    assert stages_run(clone.run("dvc", "repro").stdout) == ["report", "resolve"]
    after = rows_left_out()
    for table, own in tables.items():
        assert (after[table] > before[table]) == (own == dataset), table
        assert after[table] >= before[table]
    assert clone.read("reports/model_card.md")
    clone.run("dvc", "plots", "show")


def test_a_data_set_of_ones_own_gets_a_report(
    clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_zip(tmp_path / "mine.zip", market(train=(2, 7, 8), test=(3, 5)))
    monkeypatch.setenv("REIDPIPE_ARCHIVES", str(tmp_path))
    for block in recipe("A data set")[:2]:
        block.apply(clone.folder)
    said = clone.run("dvc", "repro").stdout
    own = ["download@mine", "split@mine"]
    own += [f"{stage}@mine-ours" for stage in ("train", "extract", "evaluate")]
    assert stages_run(said) == sorted([*own, "resolve", "report"])
    assert "mine-ours" in clone.read("reports/index.html")

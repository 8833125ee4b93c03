"""`reidpipe seeds --train` gives what an experiment with that seed would, and nothing twice."""

import pytest

from reidpipe.formats import queries, seeds
from tests.pipeline.clone import Clone

pytestmark = pytest.mark.slow

RUN = "market1501-tri"
TABLE = f"reports/seeds/{RUN}.csv"
COMMAND = ("python", "-c", "from reidpipe.cli import main; main()", "seeds", "--train")


@pytest.fixture(scope="module")
def clone(twin: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    made = twin.copy(tmp_path_factory.mktemp("seeds") / "clone")
    (made.folder / TABLE).unlink(missing_ok=True)
    made.run(*COMMAND, "3", RUN)
    return made


def test_each_seed_scores_as_its_experiment_does(clone: Clone) -> None:
    found = seeds.read(clone.folder / TABLE)
    # The plan's own seed comes with the others: by it the report knows whose they are.
    assert (found.profile, list(found.by_seed)) == ("embedded", [0, 3])
    assert list(found.endings) == [0, 3]
    assert all(epochs == 1 for epochs, *_ in found.endings.values())
    path = clone.folder / f"reports/queries/{RUN}.csv"
    own = queries.parse(path.read_bytes(), path)
    assert (found.by_seed[0].matrix() == own.matrix()).all()
    experiment = clone.copy(clone.folder.parent / "experiment")
    experiment.run("dvc", "exp", "run", "-S", "seed=3", f"evaluate@{RUN}")
    path = experiment.folder / f"reports/queries/{RUN}.csv"
    other = queries.parse(path.read_bytes(), path)
    assert (found.by_seed[3].matrix() == other.matrix()).all()
    assert (own.matrix() != other.matrix()).any()


def test_what_is_there_is_not_trained_again(clone: Clone) -> None:
    before = clone.read(TABLE)
    said = clone.run(*COMMAND, "0,3", RUN)
    assert clone.read(TABLE) == before
    assert "epoch" not in said.stderr
    assert "mAP by seed 0:" in said.stdout


def test_a_table_of_other_trainings_is_begun_anew(clone: Clone) -> None:
    path = clone.folder / TABLE
    mine = path.read_text()
    trained = seeds.read(path).trained
    path.write_text(mine.replace(trained, "0" * len(trained)))
    said = clone.run(*COMMAND, "0", RUN)
    assert "begun anew" in said.stderr
    assert list(seeds.read(path).by_seed) == [0]
    path.write_text(mine)


def test_without_current_results_nothing_is_trained(clone: Clone) -> None:
    params = clone.folder / "params.yaml"
    text = params.read_text()
    assert "warmup_epochs: 2" in text
    params.write_text(text.replace("warmup_epochs: 2", "warmup_epochs: 0"))
    result = clone.run(*COMMAND, "5", RUN, check=False)
    params.write_text(text)
    assert result.returncode == 2
    assert "not current" in result.stderr
    assert f"dvc repro evaluate@{RUN}" in result.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("4-0", RUN), "not a list of seeds"),
        (("-1", RUN), "not a list of seeds"),
        (("a", RUN), "not a list of seeds"),
        (("0-99999", RUN), "not a list of seeds"),
        (("0", "market1501-tir"), "did you mean 'market1501-tri'"),
    ],
)
def test_what_cannot_be_trained_is_named(clone: Clone, options: tuple[str, ...], said: str) -> None:
    result = clone.run(*COMMAND[:-1], f"--train={options[0]}", *options[1:], check=False)
    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr

"""Features from elsewhere: in every layout those of a run score what the run scores."""

import contextlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from reidpipe.cli import app
from reidpipe.commands.evaluate import judge
from reidpipe.commands.scores import scores
from reidpipe.errors import UserError
from reidpipe.evaluation.evaluate import evaluate
from reidpipe.files import digest
from reidpipe.formats import queries
from reidpipe.formats.foreign import results
from reidpipe.formats.settings.evaluation import EvaluateParams
from tests import foreign
from tests.foreign import DATA, LAYOUTS

ROOT = Path(__file__).parents[2]
RUN = "market1501-ours"
PARAMS = EvaluateParams(bootstrap={"samples": 100}, device="cpu", top_k=10)
FILES = ("metrics.json", "cmc.csv", "queries.csv", "ranking.npz")
FOLDER = Path("reports/foreign")
runner = CliRunner()


def stage(params: EvaluateParams = PARAMS) -> dict[str, bytes]:
    """What the stage writes of the run, by name."""
    metrics, cmc, table, ranking = (Path("own", name) for name in FILES)
    features = Path(f"runs/{RUN}/features.safetensors")
    outs = {"out_metrics": metrics, "out_cmc": cmc, "out_queries": table, "out_ranking": ranking}
    evaluate(features, params, **outs)
    return {name: Path("own", name).read_bytes() for name in FILES}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a run, and the run's own features judged by name and by labels."""
    root = tmp_path_factory.mktemp("foreign")
    for name in ("params.yaml", "runs.yaml"):
        (root / name).symlink_to(ROOT / name)
    foreign.write_run(root, RUN)
    with contextlib.chdir(root):
        stage()
        Path("reports/queries").mkdir(parents=True)
        shutil.copy("own/queries.csv", f"reports/queries/{RUN}.csv")
        path = f"data/splits/{DATA}.csv"
        lock = {"deps": [{"path": path, "md5": digest(Path(path), "md5")}]}
        Path("dvc.lock").write_text(json.dumps({"stages": {f"extract@{RUN}": lock}}))
        judge(foreign.in_npz(Path("same")), "same", PARAMS, data=DATA)
        judge(Path(f"runs/{RUN}/features.safetensors"), "labels", PARAMS)
    return root


@pytest.fixture(autouse=True)
def root(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(made, tmp_path / "copy", symlinks=True)
    monkeypatch.chdir(tmp_path / "copy")


def own() -> dict[str, bytes]:
    return {name: Path("own", name).read_bytes() for name in FILES}


def there() -> list[str]:
    return sorted(entry.name for entry in FOLDER.iterdir())


def judged(name: str) -> dict[str, bytes]:
    return {file: (FOLDER / name / file).read_bytes() for file in FILES}


@pytest.mark.parametrize("write", LAYOUTS)
def test_a_runs_own_features_score_as_the_run_does(write: Callable[[Path], Path]) -> None:
    path = write(Path("theirs"))
    found = judge(path, "theirs", PARAMS, data=DATA)
    assert judged("theirs") == own()
    assert sorted(file.name for file in (FOLDER / "theirs").iterdir()) == sorted(
        [*FILES, "about.json"]
    )
    assert there() == ["labels", "same", "theirs"]
    assert (found.queries, found.gallery, found.aside) == (36, 36, 12)
    about = results.parse_about((FOLDER / "theirs/about.json").read_bytes(), "")
    assert (about.dataset, about.metric, about.rerank) == (DATA, "cosine", None)
    assert about.split == digest(Path(f"data/splits/{DATA}.csv"), "md5")
    assert about.files[path.name] == digest(path)


def test_settings_are_those_of_the_stage() -> None:
    changes = {"metric": "euclidean", "rerank": {"k1": 5, "k2": 2}}
    params = EvaluateParams.model_validate(PARAMS.model_dump() | changes)
    judge(Path("same.npz"), "theirs", params, data=DATA)
    assert judged("theirs") == stage(params)


def test_labels_need_no_split_and_a_features_file_of_ours_is_one() -> None:
    assert judged("labels") == own()
    about = results.parse_about((FOLDER / "labels/about.json").read_bytes(), "")
    assert about.dataset is None


def test_one_camera_has_counts_alone() -> None:
    labels = {"pid": torch.arange(4) % 2, "camid": torch.ones(4, dtype=torch.int64)}
    subset = torch.tensor([0, 0, 1, 1])
    save_file({"feat": torch.rand(4, 3), "subset": subset, **labels}, "one.safetensors")
    judge(Path("one.safetensors"), "one", PARAMS)
    assert json.loads(judged("one")["metrics.json"]) == {"num_query": 2, "num_skipped": 2}


def test_a_refused_file_leaves_what_was_there() -> None:
    np.savez("same.npz", feats=np.ones((3, 2)), names=np.array(["a", "b", "c"]))
    with pytest.raises(UserError, match="names of no image of the split; images without features"):
        judge(Path("same.npz"), "same", PARAMS, data=DATA)
    assert judged("same") == own()
    assert there() == ["labels", "same"]


def test_what_cannot_be_evaluated_leaves_nothing() -> None:
    labels = {"pid": torch.arange(4), "camid": torch.arange(4), "subset": torch.arange(4) // 2}
    save_file({"feat": torch.rand(4, 3), **labels}, "apart.safetensors")
    with pytest.raises(UserError, match="no query has a true match"):
        judge(Path("apart.safetensors"), "apart", PARAMS)
    assert there() == ["labels", "same"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["none.npz"], "there is no such file"),
        (["theirs.npx"], "cannot be read from such a file"),
        (["theirs.npz", "--data", "market1051"], "did you mean 'market1501'"),
        (["theirs.npz", "--data", "msmt17"], "a manifest is missing"),
        (["theirs.npz"], "names alone do not say whom"),
        (["theirs.npz", "--data", DATA, "--name", "../x"], "'../x' cannot be a name"),
        (["2.npz", "--data", DATA], "'2' cannot be a name"),
        (["theirs.npz", "--data", DATA, "--names", "none.csv"], "there is no such file"),
    ],
)
def test_wrong_words_are_one_message(words: list[str], said: str) -> None:
    for name in ("theirs.npz", "2.npz"):
        shutil.copy("same.npz", name)
    result = runner.invoke(app, ["evaluate", *words])
    assert isinstance(result.exception, UserError)
    assert said in str(result.exception)
    assert there() == ["labels", "same"]


def test_the_command_says_what_it_did() -> None:
    path = str(foreign.in_metadata(Path("theirs")))
    result = runner.invoke(app, ["evaluate", path, "--data", DATA, "--rerank"])
    assert result.exit_code == 0, result.output
    assert "mINP" in result.output
    assert f"36 queries, 36 gallery images, by their names in data/splits/{DATA}.csv" in (
        result.output
    )
    assert "12 rows of training images were left aside" in result.output
    assert "float16 was converted to float32" in result.output
    assert results.parse_about((FOLDER / "theirs/about.json").read_bytes(), "").rerank
    assert runner.invoke(app, ["evaluate", path, "--metric", "cosin"]).exit_code == 2


def test_a_program_reads_every_digit() -> None:
    path = f"runs/{RUN}/features.safetensors"
    result = runner.invoke(app, ["evaluate", path, "--name", "x", "--json"])
    rows = {row.pop("metric"): row for row in json.loads(result.stdout)}
    metrics = json.loads(judged("x")["metrics.json"])
    assert {name: row["value"] for name, row in rows.items()}.items() <= metrics.items()
    assert rows["mAP"]["low"] < rows["mAP"]["value"] < rows["mAP"]["high"]
    assert rows["roc_auc_error"]["low"] is None


def compare(*names: str) -> Any:
    return runner.invoke(app, ["compare", *names, "--json"])


def test_compare_takes_it_beside_a_run() -> None:
    found = compare(RUN, "foreign/same")
    assert found.exit_code == 0, found.output
    assert {(row["difference"], row["verdict"]) for row in json.loads(found.stdout)} == {
        (0.0, "undecided")
    }
    scored = scores("foreign/same")
    worse = queries.Queries(
        scored.query, scored.average_precision / 2, scored.inp, scored.first_match
    )
    queries.write(FOLDER / "same/queries.csv", worse)
    rows = {row["metric"]: row for row in json.loads(compare(RUN, "foreign/same").stdout)}
    assert rows["mAP"]["verdict"] == "lower"
    assert rows["mINP"]["verdict"] == "undecided"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((RUN, "foreign/labels"), "two results on different images"),
        (("foreign/labels", "foreign/same"), "two results on different images"),
        ((RUN, "foreign/smae"), "did you mean 'same'"),
        (("foreign/../queries", RUN), "no foreign features '../queries'"),
    ],
)
def test_compare_refuses_other_images_and_missing_ones(names: tuple[str, str], said: str) -> None:
    found = compare(*names)
    assert isinstance(found.exception, UserError)
    assert said in str(found.exception)


def test_compare_refuses_a_run_on_another_split_of_as_many_queries() -> None:
    lock = Path("dvc.lock")
    lock.write_text(lock.read_text().replace('"md5": "', '"md5": "0'))
    assert "different images" in str(compare(RUN, "foreign/same").exception)
    lock.write_text('{"stages": {}}')
    assert "the lock does not say" in str(compare(RUN, "foreign/same").exception)


def test_compare_takes_one_of_another_revision() -> None:
    git = ("git", "-c", "user.name=t", "-c", "user.email=t@t")
    for words in (("init", "-q"), ("add", "reports", "dvc.lock"), ("commit", "-q", "-m", "x")):
        subprocess.run([*git, *words], check=True)
    subprocess.run(["git", "rm", "-rq", "reports/foreign"], check=True)
    found = compare("HEAD:foreign/same", RUN)
    assert found.exit_code == 0, found.exception
    assert "different images" in str(compare("HEAD:foreign/labels", f"HEAD:{RUN}").exception)
    assert "did you mean 'same'" in str(compare("HEAD:foreign/smae", RUN).exception)

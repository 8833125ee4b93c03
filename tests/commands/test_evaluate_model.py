"""A model file is judged as its features are, whoever trained it."""

import json
import zipfile
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from reidpipe.cli import app
from reidpipe.commands.adopt import adopt
from reidpipe.commands.evaluate import judge, usual_metric
from reidpipe.errors import UserError
from reidpipe.extraction.embeddings import extract
from reidpipe.files import digest
from reidpipe.formats import weights
from reidpipe.formats.settings.evaluation import EvaluateParams
from reidpipe.formats.settings.extraction import ExtractParams
from tests.commands import theirs
from tests.systems.small import network
from tests.trained import photograph

ROOT = Path(__file__).parents[2]
PARAMS = EvaluateParams(bootstrap={"samples": 50}, device="cpu", top_k=5)
EXTRACTION = ExtractParams(device="cpu", threads=1)
ARCHIVE, SPLIT = Path("data/raw/market1501.zip"), Path("data/splits/market1501.csv")
MODEL = Path("bot.safetensors")
FILES = ("metrics.json", "cmc.csv", "queries.csv", "ranking.npz")


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("params.yaml", "runs.yaml"):
        Path(name).symlink_to(ROOT / name)
    lines = ["member,pid,camid,subset,label", "learnt.png,77,1,train,0"]
    for path in (ARCHIVE, SPLIT):
        path.parent.mkdir(parents=True)
    with zipfile.ZipFile(ARCHIVE, "w") as zipped:
        for number in range(12):
            zipped.writestr(f"{number}.png", photograph(number))
            subset = "query" if number < 4 else "gallery"
            lines.append(f"{number}.png,{number % 4},{number % 3 + 1},{subset},-1")
    SPLIT.write_text("\n".join(lines) + "\n")
    torch.save(theirs.settled(theirs.Bot(5)).state_dict(), "bot.pth")
    adopt(Path("bot.pth"), MODEL, image_size=(64, 32))


def test_it_scores_what_its_features_score() -> None:
    judge(MODEL, "bot", PARAMS, data="market1501", extraction=EXTRACTION)
    extract(MODEL, ARCHIVE, SPLIT, EXTRACTION, Path("f.safetensors"))
    judge(Path("f.safetensors"), "f", PARAMS, data="market1501")
    for name in FILES:
        bot, features = (Path("reports/foreign", kind, name) for kind in ("bot", "f"))
        assert bot.read_bytes() == features.read_bytes()
    about = json.loads(Path("reports/foreign/bot/about.json").read_text())
    assert about["files"] == {"bot.safetensors": digest(MODEL)}


def test_the_command_says_what_it_scores() -> None:
    command = ["evaluate", str(MODEL), "--data", "market1501", "--csv"]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    scores = json.loads(Path("reports/foreign/bot/metrics.json").read_text())
    assert f"mAP,{scores['mAP']}" in result.stdout


def test_a_model_needs_images() -> None:
    with pytest.raises(UserError, match=r"(?s)none is named.*--data"):
        judge(MODEL, "bot", PARAMS)
    with pytest.raises(UserError, match="there is no data set 'market'"):
        judge(MODEL, "bot", PARAMS, data="market")
    assert not Path("reports/foreign").exists()


def test_a_models_metric_is_its_systems() -> None:
    model = network("svdnet")
    weights.save(Path("s.safetensors"), model.state_dict(), {**model.about(), "run": "s"})
    assert usual_metric(Path("s.safetensors")) == "euclidean"
    assert usual_metric(MODEL) == "cosine"
    assert usual_metric(Path("none.safetensors")) == "cosine"
    assert usual_metric(Path("theirs.npz")) == "cosine"


def test_a_gallery_is_searched_with_it() -> None:
    Path("g").mkdir()
    for number in range(5):
        Path("g", f"{number}.png").write_bytes(photograph(number))
    result = CliRunner().invoke(
        app, ["search", str(MODEL), "g", "g/3.png", "--csv"], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == 5  # a header, and all but the query itself

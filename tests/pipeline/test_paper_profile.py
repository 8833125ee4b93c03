"""The paper profile, end to end on CPU: small archives in the real layouts, at real image sizes."""

import json
from pathlib import Path

import pytest
import torch
from torchvision.models import resnet50, resnet101

from reidpipe.files import digest
from tests.datasets.archives import Files, duke, market, msmt, picture, saved, to_tar, to_zip
from tests.pipeline.clone import Clone, stages_run

SMALL = {
    "identities": "2",
    "images": "2",
    "epochs": "1",
    "warmup_epochs": "0",
    "precision": "fp32",
}
PAIRS = "identities: 2, images: 2, epochs: 1"
SYSTEMS = {
    "svdnet": "batch_size: 4, epochs: 1, rri: 1, rri_epochs: 1",
    "pcb": "batch_size: 4, epochs: 1",
    "rpp": "batch_size: 4, induced_epochs: 1, epochs: 1",
    "ianet": PAIRS,
    "mgn": f"{PAIRS}, warmup_epochs: 0",
    "dare": f"{PAIRS}, falling_epochs: 1",
    "alignedreid": f"{PAIRS}, falling_from: 0",
    "hacnn": "batch_size: 4, epochs: 1",
    "aacn": "batch_size: 4, epochs: 1",
    "autoreid": f"{PAIRS}, warmup_epochs: 0",
    "gpreid": "backbone: resnet101, batch_size: 4, epochs: 1, pools: 1, pool: 8, triplets: 2, "
    "updates: 2",
    "dpfl": "batch_size: 4, epochs: 1, warmup_epochs: 0",
}
"""An epoch a phase."""
WEIGHTS = {"resnet": "resnet50-11ad3fa6.pth", "resnet101": "resnet101-cd907fc2.pth"}


def at_sizes(files: Files, sizes: list[tuple[int, int]]) -> Files:
    """The same names, with noise of the given (width, height) in turn."""
    images = [name for name in files if name.endswith(".jpg")]
    for number, name in enumerate(images):
        files[name] = saved(picture(number, size=sizes[number % len(sizes)]))
    return files


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archives")
    mixed = [(64, 128), (81, 230), (120, 311), (48, 107)]
    wrapped = {"wrapper": "Market-1501-v15.09.15/"}
    to_zip(folder / "Market-1501-v15.09.15.zip", at_sizes(market(), [(64, 128)]), **wrapped)
    to_zip(folder / "DukeMTMC-reID.zip", at_sizes(duke(), mixed), "DukeMTMC-reID/")
    to_tar(folder / "MSMT17_V1.tar.gz", at_sizes(msmt(), mixed), "MSMT17_V1/")
    torch.save(resnet50().state_dict(), folder / WEIGHTS["resnet"])
    torch.save(resnet101().state_dict(), folder / WEIGHTS["resnet101"])
    return folder


@pytest.fixture(scope="module")
def settings(archives: Path) -> list[str]:
    """What `-S` must say because these archives are not the published ones."""
    changes = {f"paper.train.{name}": value for name, value in SMALL.items()}
    for role, file in WEIGHTS.items():
        changes[f"+paper.weights.{role}.sha256"] = digest(archives / file)
    changes |= {"profile": "paper"}
    changes |= {"+paper.pose": "{identities: 2, height: 64, epochs: 1, batch_size: 4}"}
    changes |= {"paper.loading.workers": "0", "+paper.systems.osnet.epochs": "1"}
    changes |= {"+paper.systems.osnet.batch_size": "4"}
    changes |= {f"++paper.systems.{name}": f"{{{value}}}" for name, value in SYSTEMS.items()}
    for name in ("market1501", "dukemtmc"):
        changes[f"~paper.data.{name}.md5"] = ""
    for name in ("market1501", "dukemtmc", "msmt17"):
        changes[f"~paper.data.{name}.counts"] = ""
    pairs = [f"{key}={value}" if value else key for key, value in changes.items()]
    return [part for pair in pairs for part in ("-S", pair)]


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """One with every run, rebuilt."""
    made = Clone(tmp_path / "clone")
    made.reidpipe("spread")
    made.commit("rebuilt")
    return made


@pytest.mark.paper
def test_paper_and_back(
    archives: Path, settings: list[str], clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded = clone.read("dvc.lock")
    monkeypatch.setenv("REIDPIPE_ARCHIVES", str(archives))

    said = clone.run("dvc", "exp", "run", *settings).stdout
    trained = {name for name in stages_run(said) if name.startswith("train@")}
    assert trained == {f"train@{name}" for name in json.loads(clone.read("plan.json"))["train"]}
    for number in (1, 2, 3, 4):
        table = clone.read(f"reports/tables/table{number}.md")
        assert "Profile paper: resnet50, 256x128 pixels, 1 epochs" in table
        named = table.replace("AACN (pose from synthetic people)", "AACN")
        assert "synthetic" not in named.lower()
    assert clone.read("dvc.lock") != embedded

    clone.run("git", "checkout", "params.yaml")
    back = clone.run("dvc", "repro").stdout
    assert set(stages_run(back)) <= {"resolve", "report"}, "all else is in DVC's cache"
    assert clone.read("dvc.lock") == embedded
    assert clone.state() == ""


@pytest.mark.slow
def test_a_missing_archive_explains_itself(
    untouched: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = untouched.copy(tmp_path / "clone")
    monkeypatch.setenv("REIDPIPE_ARCHIVES", str(tmp_path / "none"))
    result = clone.run("dvc", "exp", "run", "-S", "profile=paper", check=False)
    assert result.returncode != 0
    assert "an archive is missing" in result.stderr
    assert "REIDPIPE_ARCHIVES" in result.stderr
    assert "Traceback" not in result.stderr

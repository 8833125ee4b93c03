"""What the doctor finds on machines with everything, with nothing, and with the wrong things."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from reidpipe.cli import app
from reidpipe.commands import leave_out as leaving_out
from reidpipe.commands.doctor import training
from reidpipe.errors import UserError
from reidpipe.formats import plan
from reidpipe.formats.params import load
from reidpipe.plan.resolve import resolve
from reidpipe.systems import recipe as recipe_of
from tests.datasets.archives import market, to_zip

ROOT = Path(__file__).parents[2]
ARCHIVES = {
    "market1501": "Market-1501-v15.09.15.zip",
    "dukemtmc": "DukeMTMC-reID.zip",
    "msmt17": "MSMT17_V1.tar.gz",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("params.yaml", "runs.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("reidpipe", "stages", "requirements.lock"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("REIDPIPE_ARCHIVES", str(tmp_path / "archives"))
    return tmp_path


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "step_cost", lambda *_: (0.5, 1.0))


def examined(profile: str, status: int) -> dict[str, str]:
    """The text of each item, its folded lines joined, by its name."""
    result = CliRunner().invoke(app, ["doctor", "--profile", profile])
    assert result.exit_code == status, result.output
    items: dict[str, str] = {}
    for line in result.output.splitlines():
        if line[:4] in {"ok  ", "NO  "}:
            name = line[4:].split()[0]
            items[name] = line[:2]
        if line[:4] in {"ok  ", "NO  ", "    "}:
            items[name] += " " + line[32:].strip()
        assert len(line) <= 80 or " " not in line[32:].strip()
    return items


def change(old: str, new: str) -> None:
    path = Path("params.yaml")
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


@pytest.mark.usefixtures("quick")
def test_the_embedded_profile_needs_nothing() -> None:
    found = examined("embedded", 0)
    assert found["market1501"].startswith("ok synthetic: train ")
    assert found["weights@resnet"] == "ok trained in the weights stage"
    assert all(text.startswith("ok") for text in found.values())
    assert found["market1501-ours"] == "ok about 3 min, 1.0 GiB"
    assert {"python", "torch", "device", "memory", "disk", "all"} <= set(found)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("free", "said"), [(64, "NO"), (1024, "ok")])
def test_the_workers_batches_need_room(
    free: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Extraction of GP-reid holds most: 8 workers, two batches of 256 images of 3 x 416 x 208."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(0, 0, free << 20))
    found = examined("paper", 1)["workers"]
    assert found.startswith(f"{said} {free} MiB free in /dev/shm, 1014 MiB needed")
    assert ("docker run --shm-size" in found) == (said == "NO")
    assert "workers" not in examined("embedded", 1)


@pytest.mark.usefixtures("quick")
def test_a_machine_with_nothing_is_told_what_is_missing_item_by_item(folder: Path) -> None:
    found = examined("paper", 1)
    for name, archive in ARCHIVES.items():
        assert found[name].startswith(f"NO an archive is missing: {folder}/archives/{archive} ->")
        assert "put it there, or set REIDPIPE_ARCHIVES to the folder that holds it" in found[name]
        assert "reidpipe leave-out" in found[name]
    assert "will fetch it from torchvision" in found["weights@resnet"]
    # 12,936 images are 202 steps of 64 for each of 120 epochs, from the published count.
    assert found["market1501-ours"] == "ok about 3 h, 1.0 GiB"


@pytest.mark.usefixtures("quick")
def test_a_wrong_archive_is_named_with_its_fault(folder: Path) -> None:
    (folder / "archives").mkdir()
    to_zip(folder / "archives" / ARCHIVES["market1501"], market())
    (folder / "archives" / ARCHIVES["msmt17"]).write_bytes(b"<html>quota exceeded</html>")
    found = examined("paper", 1)
    assert "counts other than the published ones" in found["market1501"]
    assert "not a zip, tar or tar.gz file" in found["msmt17"]


@pytest.mark.usefixtures("quick")
def test_right_archives_are_listed_with_their_counts(folder: Path) -> None:
    (folder / "archives").mkdir()
    to_zip(folder / "archives/own.zip", market())
    for name in ("dukemtmc", "msmt17"):
        leaving_out.leave_out(name)
    text = Path("params.yaml").read_text()
    before, paper = text.split("\npaper:")
    counts = paper[paper.index("      md5:") : paper.index("    dukemtmc:")]
    paper = paper.replace(counts, "").replace(ARCHIVES["market1501"], "own.zip")
    before = before.replace("profile: embedded ", "profile: paper ")
    Path("params.yaml").write_text(f"{before}\npaper:{paper}")
    found = examined("paper", 0)
    assert found["market1501"].endswith("own.zip: train 4, query 2, gallery 5")
    assert "dukemtmc" not in found, "it was left out"
    assert "and the data 0.0" in found["disk"], "of a few images"
    # Another one since data/raw was made of it.
    resolve()
    entry = plan.entry("download", "market1501")
    locked = {"download@market1501": {"params": {"plan.json": {"download.market1501": entry}}}}
    Path("dvc.lock").write_text(json.dumps({"stages": locked}))
    Path("data/raw").mkdir(parents=True)
    Path("data/raw/market1501.zip").touch()
    assert "was made of another one" not in examined("paper", 0)["market1501"]
    to_zip(folder / "archives/own.zip", market(train=(2, 7, 9)))
    assert "was made of another one: dvc repro" in examined("paper", 0)["market1501"]


@pytest.mark.usefixtures("quick")
def test_other_weights_are_refused_and_none_are_no_fault_only_if_they_may_be_fetched(
    folder: Path,
) -> None:
    (folder / "archives").mkdir()
    weights = folder / "archives/resnet50-11ad3fa6.pth"
    weights.write_bytes(b"other")
    assert "the weights file is another one" in examined("paper", 1)["weights@resnet"]
    weights.unlink()
    change("download: true", "download: false")
    assert "weights.resnet.download: true" in examined("paper", 1)["weights@resnet"]


@pytest.mark.usefixtures("quick")
def test_what_has_a_url_will_be_fetched() -> None:
    change(
        "file: MSMT17_V1.tar.gz", "file: MSMT17_V1.tar.gz\n      url: https://my.server/m.tar.gz"
    )
    found = examined("paper", 1)
    assert found["msmt17"].startswith("ok MSMT17_V1.tar.gz: the download stage will fetch it")


@pytest.mark.usefixtures("quick")
def test_a_run_on_a_data_set_that_the_profile_lacks_is_named() -> None:
    text = Path("runs.yaml").read_text()
    Path("runs.yaml").write_text(text.replace("dukemtmc, msmt17]", "dukemtmc, msmt17, mine]"))
    result = CliRunner().invoke(app, ["doctor"])
    assert isinstance(result.exception, UserError)
    assert "no data set 'mine' in the profile embedded" in str(result.exception)


@pytest.mark.usefixtures("quick")
@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_a_device_that_is_not_there_is_named_and_no_run_is_measured() -> None:
    change("device: cpu", "device: cuda")
    found = examined("embedded", 1)
    assert found["device"].startswith("NO no such device")
    assert "market1501-ours" not in found


@pytest.mark.usefixtures("quick")
def test_what_does_not_fit_into_the_memory_is_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "memory", lambda _: 1 << 29)
    assert examined("embedded", 1)["market1501-ours"].startswith("NO about 3 min, 1.0 GiB ->")


def test_a_gpu_that_a_step_does_not_fit_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(training, "step_cost", full)
    found = examined("embedded", 1)["market1501-ours"]
    assert found.startswith("NO one step needs more than the ")
    assert found.endswith("lower identities or image_size in train of the profile")
    assert "inf" not in examined("embedded", 1)["all"]


def test_what_to_lower_is_an_option_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "step_cost", lambda *_: (0.5, 1e6))
    found = examined("paper", 1)
    assert found["market1501-gpreid"].endswith(
        "lower batch_size or image_size in systems.gpreid of the profile"
    )
    assert "lower identities or image_size in systems.ianet" in found["market1501-ianet"]


@pytest.mark.usefixtures("quick")
def test_all_runs_are_summed() -> None:
    found = examined("embedded", 0)
    assert re.match(r"ok about \d+ (min|h) of training, .*; at most 1\.0 GiB", found["all"])


def gib(found: str, what: str) -> float:
    match = re.search(what, found)
    assert match, found
    return float(match[1])


@pytest.mark.usefixtures("quick")
def test_the_disk_is_that_of_the_runs() -> None:
    """PCB's descriptor of 6 x 2,048 on MSMT17, and nothing else of that size: 4.6 GB."""
    before = examined("paper", 1)["disk"]
    text = Path("runs.yaml").read_text()
    assert ", options: {descriptor: h}" in text
    Path("runs.yaml").write_text(text.replace(", options: {descriptor: h}", ""))
    after = examined("paper", 1)["disk"]
    images, more = 11_659 + 82_161, 6 * (2048 - 256)
    grown = gib(after, r"leave ([\d.]+)") - gib(before, r"leave ([\d.]+)")
    assert grown == pytest.approx(4 * images * more / 2**30, abs=0.1)
    assert "not counted" not in before, "its sizes are published"
    assert "and the data" not in before, "no archive is there"


@pytest.mark.usefixtures("quick")
def test_a_disk_that_is_too_small_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    full = shutil._ntuple_diskusage(0, 0, 1 << 30)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    assert examined("embedded", 1)["disk"].startswith("NO 1 GiB free, ")


def test_steps_are_measured() -> None:
    profile = load(ROOT / "params.yaml", profile="embedded").active
    network = profile.network("eca", "linear", triplet=False)
    run, options = {"system": "ours", "network": network}, profile.recipe("ours")

    def cost(identities: int) -> tuple[float, float]:
        recipe = recipe_of("ours", {**options, "identities": identities})
        return training.step_cost(run, recipe, profile.machine, torch.device("cpu"))

    seconds, memory = cost(options["identities"])
    assert seconds > 0
    assert 0.018 < memory < 1, "half of ResNet-10 has 1.2 million parameters of 16 bytes"
    less = cost(options["identities"] // 2)[1]
    parameters = 1.23e6 * 16 / (1 << 30)
    assert (memory - parameters) / (less - parameters) == pytest.approx(2, abs=0.1)

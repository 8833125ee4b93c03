import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from reidpipe.datasets.sources import locating
from reidpipe.errors import UserError
from reidpipe.formats.params import load
from reidpipe.formats.settings.data import ArchiveSource
from tests.datasets.archives import market, to_zip

ROOT = Path(__file__).parents[2]


def source(**values: str) -> ArchiveSource:
    return ArchiveSource.model_validate(
        {"source": "archive", "layout": "market1501", "file": "set.zip", **values}
    )


def test_the_environment_names_the_folder(archives: Path) -> None:
    (archives / "set.zip").write_bytes(b"x")
    assert locating.find(source()) == archives / "set.zip"


def test_a_missing_archive_shows_what_is_there(archives: Path) -> None:
    (archives / "sett.zip").write_bytes(b"x")
    with pytest.raises(UserError, match="an archive is missing") as caught:
        locating.find(source())
    assert "did you mean 'sett.zip'?" in str(caught.value)


def test_no_folder_at_all_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REIDPIPE_ARCHIVES", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="set REIDPIPE_ARCHIVES"):
        locating.find(source())


def test_an_own_file_comes_before_a_url(archives: Path) -> None:
    (archives / "set.zip").write_bytes(b"x")
    assert locating.find(source(url="http://127.0.0.1:9/")) == archives / "set.zip"


def test_another_url_is_fetched_though_the_file_has_the_same_name(
    archives: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locating, "fetch", lambda url, path, _: path)
    urls = ("https://a/set.zip", "https://b/set.zip", "https://a/set.zip")
    places = [locating.find(source(url=url)) for url in urls]
    assert places[0] == places[2] != places[1]
    assert {path.name for path in places} == {"set.zip"}


def test_checksums_are_compared_or_found(archives: Path) -> None:
    path = archives / "set.zip"
    path.write_bytes(b"content")
    md5, sha256 = hashlib.md5(b"content").hexdigest(), hashlib.sha256(b"content").hexdigest()  # noqa: S324
    assert locating.verify(path, source()) == sha256
    assert locating.verify(path, source(md5=md5)) is None
    assert locating.verify(path, source(md5=md5.upper(), sha256=sha256)) is None
    for wrong in (source(md5="0" * 32), source(md5=md5, sha256="0" * 64)):
        with pytest.raises(UserError, match="checksum") as caught:
            locating.verify(path, wrong)
        assert md5 in str(caught.value)
    assert path.exists()


def test_a_wrong_fetched_file_is_removed(archives: Path) -> None:
    path = locating.FETCHED / "set.zip"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"content")
    with pytest.raises(UserError, match="checksum"):
        locating.verify(path, source(md5="0" * 32))
    assert not path.exists()


def test_a_folder_has_no_checksum(archives: Path) -> None:
    assert locating.verify(archives, source()) is None
    with pytest.raises(UserError, match="found:    a folder"):
        locating.verify(archives, source(md5="0" * 32))


def test_an_unknown_data_set_has_a_nearest(archives: Path) -> None:
    params = load(ROOT / "params.yaml")
    assert params.source("msmt17") == params.active.data["msmt17"]
    with pytest.raises(UserError, match="did you mean 'market1501'"):
        params.source("market")


def stage(name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "stages" / f"{name}.py"), "mine"]
    return subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT)},
    )


def test_the_stages_take_a_data_set_of_ones_own(tmp_path: Path) -> None:
    own = {"source": "archive", "layout": "market1501", "file": "own.zip"}
    rules = {"layout": "market1501", "use_val": False, "counts": None, "machine": None}
    plan = {"download": {"mine": {"source": own}}, "split": {"mine": rules}}
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    missing = stage("download", tmp_path)
    assert (missing.returncode, "an archive is missing" in missing.stderr) == (2, True)
    (tmp_path / "data/archives").mkdir(parents=True)
    archive = to_zip(tmp_path / "data/archives/own.zip", market(train=(700, 80_001)))
    done = stage("download", tmp_path)
    assert done.returncode == 0, done.stderr
    assert hashlib.sha256(archive.read_bytes()).hexdigest() in done.stdout
    done = stage("split", tmp_path)
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "reports/data/mine.json").read_text())
    assert (figures["layout"], figures["train_ids"], figures["cameras"]) == ("market1501", 2, 2)

"""The plan, the names and the archive of a synthetic benchmark."""

import csv
import io
import re
import subprocess
import sys
import time
import zipfile
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image

from reidpipe.formats.params import load
from reidpipe.formats.settings.data import SyntheticSource
from reidpipe.synthetic.generation import TRUTH, World, generate
from reidpipe.synthetic.layouts import lists, member
from reidpipe.synthetic.plan import Shot, planned

ROOT = Path(__file__).parents[2]
Layout = Literal["market1501", "dukemtmc", "msmt17"]
LAYOUTS: tuple[Layout, ...] = ("market1501", "dukemtmc", "msmt17")
NAMES = {
    "market1501": r"Market-1501-v15\.09\.15/(bounding_box_train|query|bounding_box_test)/"
    r"(-1|\d{4})_c[1-6]s\d_\d{6}_\d{2}\.jpg",
    "dukemtmc": r"DukeMTMC-reID/(bounding_box_train|query|bounding_box_test)/"
    r"\d{4}_c[1-8]_f\d{7}\.jpg",
    "msmt17": r"MSMT17_V1/(train|test)/(\d{4})/\2_\d{3,4}_(0[1-9]|1[0-5])_"
    r"\d{4}(morning|noon|afternoon)_\d{4}_0\.jpg",
}


def embedded(layout: Layout) -> SyntheticSource:
    source = load(ROOT / "params.yaml", profile="embedded").source(layout)
    assert isinstance(source, SyntheticSource)
    return source


def small(layout: Layout, seed: int = 0) -> SyntheticSource:
    return SyntheticSource(
        source="synthetic",
        layout=layout,
        cameras=3,
        train_ids=3,
        test_ids=2,
        distractors=5,
        seed=seed,
    )


def people(shots: list[Shot], *subsets: str) -> set[str]:
    return {shot.person for shot in shots if shot.subset in subsets}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_query_has_a_true_match_in_another_camera(layout: Layout) -> None:
    shots = planned(embedded(layout))
    cameras = defaultdict(set)
    for shot in shots:
        if shot.subset == "gallery" and shot.framing == "good":
            cameras[shot.pid].add(shot.camid)
    queries = [shot for shot in shots if shot.subset == "query"]
    assert len(queries) >= 200
    assert all(cameras[shot.pid] - {shot.camid} for shot in queries)
    assert len({(shot.pid, shot.camid) for shot in queries}) == len(queries)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_train_and_test_people_differ(layout: Layout) -> None:
    source = embedded(layout)
    shots = planned(source)
    train, test = people(shots, "train", "val"), people(shots, "query", "gallery")
    assert not train & test
    assert len(train) == source.train_ids
    assert len(people(shots, "query")) == source.test_ids
    assert len({World(source).person(who) for who in train | test}) == len(train | test)


@pytest.mark.parametrize("layout", ["market1501", "dukemtmc"])
def test_pids_have_gaps_and_name_one_person_each(layout: Layout) -> None:
    shots = planned(embedded(layout))
    names = defaultdict(set)
    for shot in shots:
        names[shot.pid].add(shot.person)
    assert all(len(who) == 1 for pid, who in names.items() if pid > 0)
    train = sorted({shot.pid for shot in shots if shot.subset == "train"})
    test = {shot.pid for shot in shots if shot.subset == "query"}
    assert train != list(range(train[0], train[0] + len(train)))
    assert not test & set(train)
    assert min(test) < max(train)


def test_msmt17_counts_both_parts_from_zero_and_sets_images_apart() -> None:
    source = embedded("msmt17")
    shots = planned(source)
    parts = {name: [shot for shot in shots if shot.subset == name] for name in ("train", "val")}
    assert {shot.pid for shot in parts["train"]} == set(range(source.train_ids))
    assert {shot.pid for shot in shots if shot.subset == "query"} == set(range(source.test_ids))
    assert 0 < len(parts["val"]) < len(parts["train"]) / 8


def test_market1501_has_junk_and_distractors_in_the_gallery_alone() -> None:
    source = embedded("market1501")
    shots = planned(source)
    for pid in (-1, 0):
        found = [shot for shot in shots if shot.pid == pid]
        assert len(found) == source.distractors
        assert {shot.subset for shot in found} == {"gallery"}


def test_dukemtmc_has_people_whom_no_query_asks_for() -> None:
    source = embedded("dukemtmc")
    shots = planned(source)
    asked = {shot.pid for shot in shots if shot.subset == "query"}
    others = [shot for shot in shots if shot.subset == "gallery" and shot.pid not in asked]
    assert len(others) == source.distractors
    assert all(shot.pid > 0 for shot in others)


@pytest.mark.parametrize("cameras", [2, 4, 15])
def test_any_number_of_cameras_makes_a_benchmark(cameras: int) -> None:
    source = small("market1501").model_copy(update={"cameras": cameras})
    visited = defaultdict(set)
    for shot in planned(source):
        if shot.subset == "query":
            visited[shot.pid].add(shot.camid)
    assert all(2 <= len(camids) <= cameras for camids in visited.values())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_names_are_the_benchmarks_and_unique(layout: Layout) -> None:
    source = embedded(layout)
    names = [member(source, shot) for shot in planned(source)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(NAMES[layout], name) for name in names)


@pytest.mark.parametrize("layout", ["market1501", "dukemtmc"])
def test_each_subset_has_a_folder(layout: Layout) -> None:
    source = embedded(layout)
    found = {(shot.subset, member(source, shot).split("/")[1]) for shot in planned(source)}
    assert found == {
        ("train", "bounding_box_train"),
        ("query", "query"),
        ("gallery", "bounding_box_test"),
    }


def test_lists_name_every_image_once_beside_its_pid() -> None:
    source = embedded("msmt17")
    shots = planned(source)
    listed = []
    for name, text in lists(source, shots).items():
        part = "train" if re.search("train|val", name) else "test"
        for line in text.splitlines():
            path, pid = line.split(" ")
            assert int(path[:4]) == int(pid)
            listed.append(f"MSMT17_V1/{part}/{path}")
    assert sorted(listed) == sorted(member(source, shot) for shot in shots)


@pytest.fixture(scope="module", params=LAYOUTS)
def archive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("synthetic") / "data.zip"
    generate(path, small(request.param))
    return path


def test_the_archive_is_sorted_and_dateless(archive: Path) -> None:
    with zipfile.ZipFile(archive) as content:
        assert content.testzip() is None
        assert content.namelist() == sorted(content.namelist())
        assert {info.date_time for info in content.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_truth_has_a_row_an_image(archive: Path) -> None:
    with zipfile.ZipFile(archive) as content:
        images = [name.split("/", 1)[1] for name in content.namelist() if name.endswith(".jpg")]
        rows = list(csv.DictReader(io.StringIO(content.read(TRUTH).decode())))
    assert [row["member"] for row in rows] == images
    assert list(rows[0]) == ["member", "pid", "camid", "yaw", "occluded", "light"]
    assert all(-180 <= float(row["yaw"]) <= 180 and float(row["light"]) > 0 for row in rows)


def test_images_are_as_large_as_the_benchmarks(archive: Path) -> None:
    with zipfile.ZipFile(archive) as content:
        names = [name for name in content.namelist() if name.endswith(".jpg")]
        sizes = {Image.open(io.BytesIO(content.read(name))).size for name in names}
    if "Market" in names[0]:
        assert sizes == {(32, 64)}
    else:
        assert len(sizes) > 5
        assert all(1.5 < height / width < 2.6 for width, height in sizes)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_equal_sources_give_equal_bytes_and_other_seeds_do_not(
    layout: Layout, tmp_path: Path
) -> None:
    paths = [tmp_path / name for name in ("first", "again", "other")]
    for path, seed in zip(paths, (0, 0, 1), strict=True):
        generate(path, small(layout, seed))
    first, again, other = (path.read_bytes() for path in paths)
    assert first == again
    assert first != other


def test_a_photograph_depends_on_no_other() -> None:
    source = small("market1501")
    shot = planned(source)[7]
    busy = World(source)
    for earlier in planned(source)[:7]:
        busy.photograph(earlier)
    alone = World(source).photograph(shot)
    np.testing.assert_array_equal(busy.photograph(shot).pixels, alone.pixels)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks into /proc")
@pytest.mark.parametrize("signal", [SIGTERM, SIGKILL])
def test_no_process_outlives_the_one_that_generates(signal: Signals, tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "from reidpipe.synthetic.generation import generate\n"
        "from reidpipe.formats.params import load\n"
        "generate(Path('x.zip'), load(Path(PARAMS), profile='embedded').source('market1501'))\n"
    ).replace("PARAMS", repr(str(ROOT / "params.yaml")))
    started = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, start_new_session=True)
    children = wait_for(lambda: group(started.pid) - {started.pid})
    assert children
    started.send_signal(signal)
    started.wait()
    assert wait_for(lambda: not group(started.pid))
    assert not list(tmp_path.iterdir())


def group(leader: int) -> set[int]:
    """The living processes of a session."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, _, session, *_ = stat.read_text().rpartition(")")[2].split()
            if int(session) == leader and state != "Z":
                found.add(int(stat.parent.name))
    return found


def wait_for(seen: Callable[[], Any]) -> Any:
    """What `seen` says as soon as it is true, or after half a minute."""
    until = time.monotonic() + 30
    while not (found := seen()) and time.monotonic() < until:
        time.sleep(0.1)
    return found

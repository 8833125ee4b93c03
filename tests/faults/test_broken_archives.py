"""Every broken or hostile archive is refused in words, leaving nothing behind."""

import tracemalloc
from pathlib import Path

import pytest

from reidpipe.datasets import packing
from reidpipe.errors import UserError
from tests.faults.broken_images import IMAGES
from tests.faults.broken_sets import SETS
from tests.faults.broken_tars import TARS
from tests.faults.broken_zips import ZIPS

CASES = SETS | IMAGES | ZIPS | TARS


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow) if "a million" in n else n for n in CASES],
)
def test_is_refused_and_leaves_nothing_behind(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    (tmp_path / "given").mkdir()
    source = case.build(tmp_path / "given")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError) as caught:
        packing.pack(source, tmp_path / "out" / "set.zip", case.layout)
    assert case.message in str(caught.value)
    after = sorted(path for path in tmp_path.rglob("*") if path != tmp_path / "out")
    assert after == before


@pytest.mark.parametrize(
    "name",
    [
        "zip: a million members",
        "zip: a million that claim to be 3",
        "zip: a bomb that claims 1,000 bytes",
        "zip: a size of 4 GB",
        "tar: a header of 8 GB",
        "tar.gz: a bomb",
        "a file of 17 MB",
    ],
)
def test_memory_stays_bounded(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    source = case.build(tmp_path)
    tracemalloc.start()
    with pytest.raises(UserError):
        packing.pack(source, tmp_path / "out" / "set.zip", case.layout)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 48 << 20

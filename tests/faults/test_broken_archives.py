"""Every broken or hostile archive is refused in words, leaving nothing behind."""

from pathlib import Path

import pytest

from reidpipe.data import archive
from reidpipe.errors import UserError
from tests.faults.broken_images import IMAGES
from tests.faults.broken_sets import SETS
from tests.faults.broken_tars import TARS
from tests.faults.broken_zips import ZIPS

CASES = SETS | IMAGES | ZIPS | TARS


@pytest.mark.parametrize("name", CASES)
def test_is_refused_and_leaves_nothing_behind(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    (tmp_path / "given").mkdir()
    source = case.build(tmp_path / "given")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError) as caught:
        archive.pack(source, tmp_path / "out" / "set.zip", case.layout)
    assert case.message in str(caught.value)
    after = sorted(path for path in tmp_path.rglob("*") if path != tmp_path / "out")
    assert after == before

from pathlib import Path

import pytest

from reidpipe.datasets import packing, splitting
from reidpipe.formats import manifest as records
from tests.datasets.archives import duke, to_zip


def test_identities_that_no_query_shows_are_distractors(tmp_path: Path) -> None:
    packing.pack(
        to_zip(tmp_path / "set.zip", duke(), "DukeMTMC-reID/"), tmp_path / "d.zip", "dukemtmc"
    )
    figures = splitting.split(tmp_path / "d.zip", tmp_path / "d.csv", "dukemtmc")
    table = records.read(tmp_path / "d.csv")
    assert table["camid"].tolist() == [1, 8, 1, 8, 1, 8, 8]
    assert table.query("subset == 'gallery'")["pid"].tolist() == [3, 9]
    assert (figures["distractor_images"], figures["distractor_ids"]) == (1, 1)
    assert figures["gallery_images"] == 2


@pytest.mark.parametrize("name", ["query/0003_c1_f1.jpg", "bounding_box_train/0001_c1_f1.jpg"])
def test_nothing_is_junk(name: str, tmp_path: Path) -> None:
    zipped = to_zip(tmp_path / "set.zip", duke() | {name: duke()["query/0003_c1_f0002.jpg"]})
    figures = splitting.split(zipped, tmp_path / "d.csv", "dukemtmc")
    assert figures["junk_dropped"] == 0
    assert len(records.read(tmp_path / "d.csv")) == len(duke()) + 1

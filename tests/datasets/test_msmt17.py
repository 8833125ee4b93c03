import zipfile
from pathlib import Path

import pytest

from reidpipe.datasets import packing, splitting
from reidpipe.errors import UserError
from reidpipe.formats import manifest as records
from tests.datasets.archives import jpeg, msmt, to_tar, to_zip


@pytest.mark.parametrize(
    ("train", "test"), [("train", "test"), ("mask_train_v2", "mask_test_v2")], ids=["V1", "V2"]
)
def test_both_versions_read_alike(train: str, test: str, tmp_path: Path) -> None:
    source = to_tar(tmp_path / "set.tar.gz", msmt(train, test), wrapper="MSMT17/")
    packing.pack(source, tmp_path / "m.zip", "msmt17")
    splitting.split(tmp_path / "m.zip", tmp_path / "m.csv", "msmt17")
    table = records.read(tmp_path / "m.csv")
    assert table["member"].str.partition("/")[0].tolist() == [train] * 4 + [test] * 4
    assert table["camid"].tolist() == [1, 2, 1, 2, 1, 1, 2, 2]
    assert table["pid"].tolist() == [0, 0, 1, 1, 0, 1, 0, 1]
    assert table["label"].tolist() == [0, 0, 1, 1, -1, -1, -1, -1]


def test_equal_numbers_in_train_and_test_are_other_people(tmp_path: Path) -> None:
    figures = splitting.split(to_zip(tmp_path / "m.zip", msmt()), tmp_path / "m.csv", "msmt17")
    assert (figures["train_ids"], figures["query_ids"]) == (2, 2)


def test_images_that_no_list_names_stay_out(tmp_path: Path) -> None:
    extra = {"train/0009/0009_000_01_0303noon_0001_0.jpg": jpeg()}
    packing.pack(to_zip(tmp_path / "set.zip", msmt() | extra), tmp_path / "m.zip", "msmt17")
    with zipfile.ZipFile(tmp_path / "m.zip") as zipped:
        assert set(zipped.namelist()) == set(msmt())


def test_an_empty_validation_list_is_fine(tmp_path: Path) -> None:
    zipped = to_zip(tmp_path / "m.zip", msmt() | {"list_val.txt": b""})
    figures = splitting.split(zipped, tmp_path / "m.csv", "msmt17", use_val=True)
    assert figures["train_images_with_val"] == figures["train_images_without_val"] == 4


def test_a_wrong_line_is_quoted_with_its_number(tmp_path: Path) -> None:
    text = msmt()["list_query.txt"] + b"0000/0000_000_01_x.jpg zero\n"
    with pytest.raises(UserError, match=r"list_query.txt line 3: '0000/0000_000_01_x.jpg zero'"):
        splitting.split(
            to_zip(tmp_path / "m.zip", msmt() | {"list_query.txt": text}),
            tmp_path / "m.csv",
            "msmt17",
        )

"""Files are whole or absent."""

import math
from pathlib import Path

import pytest

from reidpipe.files import digest, replacing, write_bytes, write_csv, write_json


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    write_bytes(path, b"old")
    with pytest.raises(OSError, match="full"):
        _write_half(path)
    assert path.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def _write_half(path: Path) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(b"half of the ne")
        raise OSError("disk full")


def test_folders_are_made_and_the_content_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "b" / "c" / "a.bin"
    for content in (b"first", b"second"):
        write_bytes(path, content)
        assert path.read_bytes() == content


def test_nan_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"mAP": math.nan})
    assert not list(tmp_path.iterdir())


def test_floats_survive_csv_exactly(tmp_path: Path) -> None:
    values = [0.1 + 0.2, 1 / 3, 1e-300]
    write_csv(tmp_path / "a.csv", ["x"], [[value] for value in values])
    lines = (tmp_path / "a.csv").read_text().split("\n")[1:-1]
    assert [float(line) for line in lines] == values


def test_digest_of_known_content(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a", b"abc")
    assert digest(tmp_path / "a", "md5") == "900150983cd24fb0d6963f7d28e17f72"

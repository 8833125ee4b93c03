import contextlib
import errno
import io
import multiprocessing
import os
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from reidpipe.datasets import packing
from reidpipe.errors import UserError
from reidpipe.formats import zips
from reidpipe.formats.pictures import BadImageError, decode, inspect
from tests.datasets.archives import (
    Files,
    duke,
    jpeg,
    market,
    msmt,
    picture,
    saved,
    to_folder,
    to_tar,
    to_zip,
)

LAYOUTS: dict[str, Files] = {"market1501": market(), "dukemtmc": duke(), "msmt17": msmt()}


def packed(source: Path, layout: str = "market1501") -> bytes:
    out = source.parent / "out" / f"{source.name}.zip"
    packing.pack(source, out, layout)
    return out.read_bytes()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_folder_a_zip_and_tars_of_equal_images_give_equal_bytes(
    layout: str, tmp_path: Path
) -> None:
    files = LAYOUTS[layout]
    backwards = dict(reversed(files.items()))
    outputs = {
        packed(to_zip(tmp_path / "a.zip", files), layout),
        packed(to_zip(tmp_path / "b.zip", backwards, wrapper="Any-Name/"), layout),
        packed(to_tar(tmp_path / "c.tar", backwards, wrapper="./"), layout),
        packed(to_tar(tmp_path / "d.tar.gz", files, wrapper="./MSMT17_V1/"), layout),
        packed(to_folder(tmp_path / "e", files), layout),
        packed(to_folder(tmp_path / "f", files, wrapper="inner"), layout),
    }
    assert len(outputs) == 1
    with zipfile.ZipFile(io.BytesIO(outputs.pop())) as zipped:
        assert {name: zipped.read(name) for name in zipped.namelist()} == files


def test_members_are_sorted_stored_and_all_of_one_date_and_rights(tmp_path: Path) -> None:
    content = packed(to_zip(tmp_path / "set.zip", dict(reversed(market().items()))))
    with zipfile.ZipFile(io.BytesIO(content)) as zipped:
        entries = zipped.infolist()
    assert [e.filename for e in entries] == sorted(e.filename for e in entries)
    assert {(e.compress_type, e.date_time, e.external_attr >> 16) for e in entries} == {
        (zipfile.ZIP_STORED, (1980, 1, 1, 0, 0, 0), 0o100644)
    }


def test_only_what_the_layout_reads_is_packed(tmp_path: Path) -> None:
    others = {"gt_bbox/0002_c1.jpg": b"no image", "readme.txt": b"", "query/Thumbs.db": b"\xd0"}
    others |= {"__MACOSX/query/._0003_c1.jpg": b"", "query/.DS_Store": b""}
    content = packed(to_zip(tmp_path / "set.zip", market() | others))
    with zipfile.ZipFile(io.BytesIO(content)) as zipped:
        assert set(zipped.namelist()) == set(market())


def test_extras_come_along_from_the_top(tmp_path: Path) -> None:
    files = {f"Market/{name}": content for name, content in market().items()}
    source = to_zip(tmp_path / "set.zip", files | {"truth.csv": b"member,pid\n"})
    packing.pack(source, tmp_path / "out.zip", "market1501", extras=["truth.csv"])
    assert zips.read(tmp_path / "out.zip", "truth.csv") == b"member,pid\n"
    with zipfile.ZipFile(tmp_path / "out.zip") as zipped:
        assert zipped.namelist() == sorted([*market(), "truth.csv"])


def test_grey_and_cmyk_are_counted_and_converted(tmp_path: Path) -> None:
    grey, cmyk, *_ = market()
    files = market() | {grey: jpeg(mode="L"), cmyk: jpeg(mode="CMYK")}
    modes = packing.pack(to_zip(tmp_path / "a.zip", files), tmp_path / "out.zip", "market1501")
    assert modes == {"L": 1, "CMYK": 1, "RGB": len(files) - 2}
    pixels = np.asarray(decode(zips.read(tmp_path / "out.zip", grey)))
    assert pixels.shape == (32, 16, 3)
    assert (pixels[..., 0] == pixels[..., 2]).all()


def test_every_bad_image_is_named_and_an_older_zip_stays(tmp_path: Path) -> None:
    out = tmp_path / "out.zip"
    out.write_bytes(b"older")
    first, second, third, *_ = market()
    files = market() | {first: b"", second: b"junk", third: b""}
    with pytest.raises(UserError) as caught:
        packing.pack(to_folder(tmp_path / "set", files), out, "market1501")
    assert all(name in str(caught.value) for name in (first, second, third))
    assert "empty images (2):" in str(caught.value)
    assert out.read_bytes() == b"older"
    assert {path.name for path in tmp_path.iterdir()} == {"out.zip", "set"}


def test_the_list_of_bad_images_has_an_end(tmp_path: Path) -> None:
    files = market() | {f"query/0003_c1_{i:03d}.jpg": b"" for i in range(80)}
    with pytest.raises(UserError, match=r"empty images \(80\)") as caught:
        packing.pack(to_zip(tmp_path / "set.zip", files), tmp_path / "out.zip", "market1501")
    assert "and 30 more" in str(caught.value)


def test_progress_counts_every_member(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    source = to_zip(tmp_path / "set.zip", market())
    packing.pack(source, tmp_path / "o.zip", "market1501", report=lambda *step: seen.append(step))
    total = len(market())
    assert seen == [(done, total) for done in range(1, total + 1)]


def test_a_full_disk_is_foreseen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 100})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(UserError, match="too full"):
        packing.pack(to_zip(tmp_path / "a.zip", market()), tmp_path / "o.zip", "market1501")


def test_a_disk_that_fills_meanwhile_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    source = to_zip(tmp_path / "a.zip", market())
    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(UserError, match="cannot be packed") as caught:
        packing.pack(source, tmp_path / "o.zip", "market1501")
    assert "No space left" in str(caught.value)
    assert list(tmp_path.iterdir()) == [source]


def test_read_sees_a_replaced_zip(tmp_path: Path) -> None:
    path = to_zip(tmp_path / "set.zip", {"a": b"old"})
    assert zips.read(path, "a") == b"old"
    new = to_zip(tmp_path / "new.zip", {"a": b"new"})
    os.utime(new, ns=(0, path.stat().st_mtime_ns))  # within one tick of the clock
    new.replace(path)
    assert zips.read(path, "a") == b"new"


def test_read_explains_what_is_missing_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a data set is missing"):
        zips.read(tmp_path / "none.zip", "a")
    path = to_zip(tmp_path / "set.zip", {"a": b"content"})
    with pytest.raises(UserError, match="damaged"):
        zips.read(path, "b")
    path.write_bytes(b"no zip")
    with pytest.raises(UserError, match="damaged"):
        zips.read(path, "a")


def _read_all(path: Path, names: list[str]) -> list[bytes]:
    return [zips.read(path, name) for name in names * 20]


def test_forked_workers_read_beside_each_other(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    files = {f"{i:03d}": noise.bytes(20_000) for i in range(50)}
    path = to_zip(tmp_path / "set.zip", files)
    zips.read(path, "000")  # the parent's handle is open before the fork
    with multiprocessing.get_context("fork").Pool(3) as pool:
        results = pool.starmap(_read_all, [(path, list(files))] * 3)
    assert results == [list(files.values()) * 20] * 3


@given(mode=st.sampled_from(["RGB", "L", "CMYK", "P", "RGBA", "1", "LA"]), seed=st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_decode_gives_rgb_of_the_same_size(mode: str, seed: int) -> None:
    kind = "JPEG" if mode in {"RGB", "L", "CMYK"} else "PNG"
    image = decode(saved(picture(seed, mode=mode), kind))
    assert (image.mode, image.size) == ("RGB", (16, 32))


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_damaged_images_raise_nothing_but_bad_image(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["JPEG", "PNG"]))
    exif = Image.Exif()
    exif[0x010E] = "described"
    content = bytearray(saved(picture(), kind, exif))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with warnings.catch_warnings(), contextlib.suppress(BadImageError):
        warnings.simplefilter("ignore")
        inspect(bytes(content[: data.draw(st.integers(0, len(content)))]))

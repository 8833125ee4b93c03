"""Files of features from elsewhere: what is taken for what, and what is refused in one message."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from reidpipe.errors import UserError
from reidpipe.formats.foreign import containers, layouts, results
from reidpipe.formats.foreign.results import About

MATRIX = np.ones((2, 3), np.float32)
NAMES = np.array(["a", "b"])
LABELS: dict[str, Any] = {"pid": [1, 2], "camid": [1, 1], "subset": ["query", "gallery"]}
UNSAFE = np.array([{"a": 1}, None], dtype=object)


class Loud:
    """Unpickling this would be seen."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return Path.touch, (Path("unpickled"),)  # type: ignore[return-value]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def npz(**arrays: Any) -> Path:
    np.savez("x.npz", **arrays)
    return Path("x.npz")


@pytest.mark.parametrize("key", layouts.FEATURES)
def test_a_matrix_of_a_known_name_is_taken_before_others(key: str) -> None:
    found = layouts.read(npz(names=NAMES, logits=np.zeros((2, 9), np.float32), **{key: MATRIX}))
    assert found.embedding.tolist() == MATRIX.tolist()
    assert found.names == ["a", "b"]


@pytest.mark.parametrize("kind", ["f2", "<f4", ">f4", "f8"])
def test_every_kind_of_float_is_one(kind: str) -> None:
    found = layouts.read(npz(any_name=MATRIX.astype(kind), name=NAMES.astype("S")))
    assert found.embedding.tolist() == MATRIX.tolist()


@pytest.mark.parametrize(
    "subset", [["query", "gallery"], [0, 1], np.array([0, 1], np.uint8), [b"query", b"gallery"]]
)
def test_subsets_are_words_or_numbers(subset: Any) -> None:
    found = layouts.read(npz(feat=MATRIX, pids=["0007", "8"], camids=[[1], [2]], subsets=subset))
    assert found.labels.pid.tolist() == [7, 8]
    assert found.labels.subset.tolist() == ["query", "gallery"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a\nb\n", ["a", "b"]),
        ("\ufeffname\r\na\r\n\r\nb\r\n", ["a", "b"]),
        ('path,note\n"a,1",x\nb,y', ["a,1", "b"]),
    ],
)
def test_names_stand_in_a_csv_of_the_same_name(text: str, names: list[str]) -> None:
    np.save("x.npy", MATRIX)
    Path("x.csv").write_text(text, encoding="utf-8")
    assert layouts.read(Path("x.npy")).names == names
    Path("x.csv").rename("other.txt")
    found = layouts.read(Path("x.npy"), Path("other.txt"))
    assert (found.names, found.files) == (names, (Path("x.npy"), Path("other.txt")))


def test_labels_of_any_kind_do_no_harm_beside_names() -> None:
    found = layouts.read(npz(feat=MATRIX, names=NAMES, **{**LABELS, "pid": ["Ann", "Bob"]}))
    assert (found.names, found.labelled) == (["a", "b"], True)
    with pytest.raises(UserError, match="a pid is no whole number"):
        assert found.labels


def test_a_table_that_is_named_speaks_for_the_file() -> None:
    Path("other.csv").write_text("path\nx\ny\n")
    found = layouts.read(npz(feat=MATRIX, names=NAMES, **LABELS), Path("other.csv"))
    assert (found.names, found.labelled) == (["x", "y"], False)


def test_a_csv_beside_a_file_that_says_all_itself_is_not_read() -> None:
    Path("x.csv").write_text("metric,value\nmAP\n")
    assert layouts.read(npz(feat=MATRIX, names=NAMES)).files == (Path("x.npz"),)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no matrix": ({"names": NAMES}, "not exactly one matrix"),
    "two of known names": ({"feats": MATRIX, "features": MATRIX}, "not exactly one matrix"),
    "two of none": ({"a": MATRIX, "b": MATRIX, "names": NAMES}, r"a: float32 \[2, 3\]; b: float32"),
    "whole numbers": ({"feats": MATRIX.astype(int), "names": NAMES}, "not exactly one matrix"),
    "three dimensions": ({"feats": MATRIX[None], "names": NAMES}, "not exactly one matrix"),
    "no rows": ({"feats": MATRIX[:0], "names": NAMES[:0]}, "not exactly one matrix"),
    "complex": ({"feats": MATRIX * 1j, "names": NAMES}, "not exactly one matrix"),
    "nothing says whom": ({"feats": MATRIX, "pid": [1, 2]}, "nothing says whom"),
    "too few names": ({"feats": MATRIX, "names": NAMES[:1]}, "not as many names(.|\n)*2\n.*1"),
    "names twice": ({"feats": MATRIX, "names": NAMES, "path": NAMES}, "names and path are both"),
    "names that are numbers": ({"feats": MATRIX, "names": [1, 2]}, "the names are numbers"),
    "names that are objects": ({"feats": MATRIX, "names": UNSAFE}, "never unpickled"),
    "too many pids": ({"feats": MATRIX, **LABELS, "pid": [1, 2, 3]}, "not as many pid"),
    "broken pids": ({"feats": MATRIX, **LABELS, "pid": [1.0, 2.5]}, "a pid is no whole number"),
    "huge pids": ({"feats": MATRIX, **LABELS, "pid": ["1", "9" * 20]}, "a pid is no whole number"),
    "another subset": ({"feats": MATRIX, **LABELS, "subset": ["query", "probe"]}, "row 1: probe"),
    "subsets that are bools": ({"feats": MATRIX, **LABELS, "subset": [False, True]}, "row 0: Fal"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named(case: str) -> None:
    arrays, said = WRONG[case]
    with pytest.raises(UserError, match=said):
        assert layouts.read(npz(**arrays)).labels


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    path.write_bytes(content)


def encrypted(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + place] |= 1
    path.write_bytes(content)


def vast(path: Path) -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (999999999, 9999999), }"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("feats.npy", content)


def pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps(Loud()))


def one_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, MATRIX)


@pytest.mark.parametrize("suffix", [".npz", ".npy", ".safetensors"])
@pytest.mark.parametrize("spoil", [cut, flipped, encrypted, vast, pickled, one_array, Path.unlink])
def test_a_damaged_file_is_one_message(suffix: str, spoil: Any) -> None:
    np.savez_compressed("x.npz", feats=np.random.default_rng(0).random((9, 9)))
    Path("x.npz").rename("x" + suffix)
    spoil(Path("x" + suffix))
    if suffix == ".npy" and spoil is one_array:
        return
    with pytest.raises(UserError, match=r"cannot be read|no such file"):
        containers.arrays(Path("x" + suffix))
    assert not Path("unpickled").exists()


@pytest.mark.parametrize(
    "content", [b"", b"a,b\nc\n", b"\xff\xfe", b'"a\n', b"x" * 200_000 + b",\n", b"\0,\n"]
)
def test_a_csv_that_is_none_is_named(content: bytes) -> None:
    np.save("x.npy", MATRIX)
    Path("x.csv").write_bytes(content)
    with pytest.raises(UserError) as error:
        layouts.read(Path("x.npy"))
    assert "x." in str(error.value)


@pytest.mark.parametrize("text", ["[1, 2]", "{}", "a", '"ab"', "[" * 9999])
def test_metadata_that_is_no_list_of_names_is_none(text: str) -> None:
    save_file({"feats": torch.ones(2, 3)}, "x.safetensors", {"names": text})
    with pytest.raises(UserError, match="nothing says whom"):
        layouts.read(Path("x.safetensors"))


def test_what_is_known_of_a_result_survives_its_file() -> None:
    about = About(dataset="mine", split="0a", metric="cosine", rerank={"k1": 3}, files={"x": "0b"})
    results.write_about(Path("reports/foreign/one/about.json"), about)
    content = Path("reports/foreign/one/about.json").read_bytes()
    assert results.parse_about(content, "") == about
    Path("reports/foreign/.x.part").mkdir()
    Path("reports/foreign/.x.part/about.json").touch()
    assert results.known() == ["one"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"dataset": "x"}', b"\xff"])
def test_a_result_that_is_none_is_named(content: bytes) -> None:
    Path("x.json").write_bytes(content)
    with pytest.raises(UserError, match="not a result that reidpipe wrote"):
        results.read_metrics(Path("x.json"))
    with pytest.raises(UserError, match="not a result that reidpipe wrote"):
        results.parse_about(content, "x.json")


def test_the_document_has_every_name() -> None:
    text = (Path(__file__).parents[2] / "docs/foreign.md").read_text(encoding="utf-8")
    for name in (*layouts.FEATURES, *containers.NAMES, *(names[0] for names in layouts.LABELS)):
        assert f"`{name}`" in text, name

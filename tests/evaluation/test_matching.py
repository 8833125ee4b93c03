"""Rows are found by the names of images in any order; what is not exactly the split is listed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reidpipe.errors import UserError
from reidpipe.evaluation.matching import by_labels, by_name, digest
from reidpipe.formats.foreign.layouts import Given, Labels
from tests import foreign

SPLIT = foreign.split()
MEMBERS = SPLIT["member"].tolist()
TESTED = (SPLIT["subset"] != "train").to_numpy()
MATRIX = foreign.embeddings()


def rows(order: list[int], names: list[str] | None = None) -> Given:
    called = names if names is not None else [MEMBERS[row] for row in order]
    return Given(MATRIX[torch.tensor(order)], called, {}, (Path("x.npz"),))


FORMS = (
    lambda name: name,
    lambda name: Path(name).name,
    lambda name: Path(name).stem,
    lambda name: str(Path(name).with_suffix("")),
    lambda name: f"./{name}",
    lambda name: f"/some/where/{name}",
    lambda name: "C:\\data\\" + name.replace("/", "\\"),
)


@settings(max_examples=30)
@given(st.permutations(range(len(MEMBERS))), st.data())
def test_any_order_and_any_form_of_a_name(order: list[int], data: st.DataObject) -> None:
    forms = data.draw(st.lists(st.sampled_from(FORMS), min_size=len(order), max_size=len(order)))
    names = [form(MEMBERS[row]) for form, row in zip(forms, order, strict=True)]
    found = by_name(rows(order, names), SPLIT)
    assert torch.equal(found.features.embedding, MATRIX[torch.tensor(TESTED)])
    assert found.features.pid.tolist() == SPLIT["pid"][TESTED].tolist()
    assert found.features.queries == (SPLIT["subset"] == "query").sum()
    assert found.aside == (~TESTED).sum()


@settings(max_examples=50)
@given(st.sets(st.sampled_from(np.flatnonzero(TESTED).tolist()), min_size=1), st.data())
def test_exactly_what_is_wrong_is_listed(wrong: set[int], data: st.DataObject) -> None:
    ways = {row: data.draw(st.sampled_from(["missing", "twice", "unknown"])) for row in wrong}
    order = [row for row in range(len(MEMBERS)) if ways.get(row) != "missing"]
    names = [MEMBERS[row] + "x" * (ways.get(row) == "unknown") for row in order]
    again = [row for row in wrong if ways[row] == "twice"]
    with pytest.raises(UserError) as error:
        by_name(rows([*order, *again], [*names, *(MEMBERS[row] for row in again)]), SPLIT)
    found = str(error.value)
    for kind, of in (
        ("names of no image of the split", ["unknown"]),
        ("images that are named twice", ["twice"]),
        ("images without features", ["missing", "unknown"]),
    ):
        count = sum(way in of for way in ways.values())
        assert (f"{kind} ({count}):" in found) == bool(count), found


def test_fifty_examples_are_listed() -> None:
    with pytest.raises(UserError) as error:
        by_name(rows([0]), SPLIT)
    found = str(error.value)
    assert found.count(".jpg") == 50
    assert f"and {TESTED.sum() - 50} more" in found


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.jpg", "names of several images"),
        ("0001/a", "names of several images"),
        ("test/0001/a.jpg", "images without features"),
        ("x/0001/a.jpg", "names of no image"),
        ("test/0001/a.png", "names of no image"),
        ("test", "names of no image"),
        ("", "names of no image"),
        ("a\0b", "names of no image"),
    ],
)
def test_a_name_is_an_image_or_none(name: str, said: str) -> None:
    """Folders that a name has are never passed over."""
    members = ["train/0001/a.jpg", "test/0001/a.jpg", "test/0001/b.jpg"]
    split = pd.DataFrame({"member": members, "subset": ["train", "query", "gallery"]})
    split = split.assign(pid=1, camid=1, label=0)
    with pytest.raises(UserError, match=said):
        by_name(rows([0], [name]), split)


@pytest.mark.parametrize(
    ("value", "said"),
    [(np.nan, "NaN"), (-np.inf, "infinity"), (1e39, "beyond float32"), (0, "rows of zeros")],
)
def test_rows_that_are_no_features_are_listed_by_name(value: float, said: str) -> None:
    found = rows(list(range(len(MEMBERS))))
    matrix = found.embedding.double()
    matrix[[0, 20]] = value  # the first is of training: nobody looks at it
    with pytest.raises(UserError, match=said) as error:
        by_name(replace(found, embedding=matrix), SPLIT)
    assert f"(1):\n              {MEMBERS[20]}" in str(error.value)


def labelled(order: list[int]) -> tuple[Given, Labels]:
    labels = Labels(*(SPLIT[name].to_numpy()[order] for name in ("pid", "camid", "subset")))
    return Given(MATRIX[torch.tensor(order)], [], {}, (Path("x.npz"),)), labels


def test_of_a_split_labels_are_its_own_row_by_row() -> None:
    order = list(range(len(MEMBERS)))
    found = by_labels(*labelled(order[::2] + order[1::2]))
    assert found.aside == (~TESTED).sum()
    assert digest(found.features) != digest(by_labels(*labelled(order), SPLIT).features)
    with pytest.raises(UserError, match="labels that are not the split's"):
        by_labels(*labelled(order[::2] + order[1::2]), SPLIT)
    with pytest.raises(UserError, match="71 query and gallery rows where the split has 72"):
        by_labels(*labelled(order[:-1]), SPLIT)


@pytest.mark.parametrize("subset", ["query", "gallery"])
def test_without_queries_or_gallery_there_is_nothing_to_judge(subset: str) -> None:
    found, labels = labelled(np.flatnonzero(SPLIT["subset"] != subset).tolist())
    with pytest.raises(UserError, match=f"no rows of the subset {subset}"):
        by_labels(found, labels)


def test_junk_is_to_be_left_out() -> None:
    found, labels = labelled(list(range(len(MEMBERS))))
    labels = replace(labels, pid=np.where(labels.pid == 20, -1, labels.pid))
    with pytest.raises(UserError, match=r"negative pids(.|\n)*\(6\):\n +row 33"):
        by_labels(found, labels)
